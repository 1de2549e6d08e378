//! `GET /readyz`.

use axum::extract::State;
use shared::http::health::Readiness;

use crate::app::App;

/// Ready when the database answers and there is a key to sign with.
///
/// A broker that is away is only told of: events wait in the database, and nobody should be refused for it.
pub(super) async fn readyz(State(app): State<App>) -> Readiness {
    Readiness::of([("database", app.database.answers().await), ("signing_key", true)])
        .noting("events_forwarded", app.relay.is_forwarding())
}
