//! `GET /healthz` and `GET /readyz`.

use axum::extract::State;
use axum::response::IntoResponse;
use shared::http::health::Readiness;

use crate::app::App;

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "readHealth",
    tag = "operation",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain"))
)]
pub(super) async fn healthz() -> impl IntoResponse {
    shared::http::health::healthz().await
}

/// Ready when the database answers and there is a key to sign with.
///
/// A broker that is away is only told of: events wait in the database, and nobody should be refused for it.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readReadiness",
    tag = "operation",
    responses(
        (status = 200, description = "Ready", body = ref("#/components/schemas/Readiness")),
        (status = 503, description = "Not ready", body = ref("#/components/schemas/Readiness"))
    )
)]
pub(super) async fn readyz(State(app): State<App>) -> Readiness {
    Readiness::of([
        ("database", app.database.answers().await),
        ("signing_key", app.keys.ring().signer(app.now()).is_ok()),
    ])
    .noting("events_forwarded", app.relay.is_forwarding())
}
