//! The enforcement log: what every verifier must refuse although the token's signature holds.

mod handler;
mod herald;
mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::guard::Guard;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
use crate::settings::ACCESS_TOKEN_SECONDS_MAX;
pub(crate) use herald::run as announce;
use shared::database::{Database, DatabaseError, Tx};
pub(crate) use store::{Order, append, append_named, append_order, head, hold, stored, target};

/// Added to the life of an entry for clocks that differ.
const MARGIN: Duration = Duration::from_mins(1);

/// Entries that are deleted at a time.
const PURGE_MAX: i64 = 1_000;

/// `GET /v1/enforcement`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::read_enforcement))
}

/// When an entry made at `now` may be forgotten: no token that was minted before lives longer, whatever the setting was.
pub(crate) fn expiry(now: UtcMicros) -> UtcMicros {
    now.plus(Duration::from_secs(ACCESS_TOKEN_SECONDS_MAX.into()))
        .plus(MARGIN)
}

/// From when on a token may be issued at `now` that no revocation of its subject or client is about: at once, or in the second
/// after the last one, since `iat` has whole seconds (decision 0143).
///
/// Ask before anything is read that the token will say: what is revoked after that is meant for it.
pub(crate) async fn issue_at(
    tx: &mut Tx<'_>,
    (sub, client_id): (&str, &str),
    now: UtcMicros,
) -> Result<UtcMicros, DatabaseError> {
    let this_second = UtcMicros::from_seconds(now.as_seconds());
    let last = store::last_of(tx, (sub, client_id), this_second).await?;
    Ok(last.map_or(now, |last| UtcMicros::from_seconds(last.as_seconds() + 1)))
}

/// Tells `guard` everything that the log holds and it has not heard.
pub(crate) async fn catch_up(
    database: &Database,
    guard: &Guard,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    loop {
        let mut tx = database.read().await?;
        let page = store::page(&mut tx, guard.cursor(), now).await?;
        guard.hear(&page, now);
        if !page.more {
            return Ok(());
        }
    }
}

/// Deletes what is not in force any more. The cursor stays where it is.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    loop {
        let mut tx = app.database.write().await?;
        let deleted = store::delete_expired(&mut tx, app.now(), PURGE_MAX).await?;
        app.database.commit(tx).await?;
        if deleted < PURGE_MAX.unsigned_abs() {
            return Ok(());
        }
    }
}
