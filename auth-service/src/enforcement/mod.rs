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
use shared::database::{Database, DatabaseError};
pub(crate) use store::{Order, append, append_named, append_order, head, stored, target};

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
