//! Lockouts: buckets that refuse at the moment, for operators to see and to clear.

pub(crate) mod command;
mod handler;
mod store;

use serde_json::json;
use shared::clock::UtcMicros;
use shared::event::{Class, Outcome, action};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::request::Operator;

/// Lockouts in one answer.
const SHOWN_MAX: i64 = 1000;

/// A bucket that refuses.
#[derive(Debug)]
pub(super) struct Lockout {
    id: String,
    kind: String,
    /// A user's id, an address prefix, or both; absent for a name that no user has.
    subject: Option<String>,
    failures: i64,
    refused_until: UtcMicros,
}

/// `/v1/admin/lockouts`.
pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_lockouts))
        .routes(routes!(handler::clear_lockout))
}

/// Those that refuse for longest first.
async fn list(app: &App) -> Result<Vec<Lockout>, ApiError> {
    let mut tx = app.database.read().await?;
    Ok(store::list(&mut tx, app.now(), SHOWN_MAX).await?)
}

/// Forgets what a bucket has seen, so that it admits again.
async fn clear(app: &App, operator: &Operator, id: &str) -> Result<(), ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let Some(lockout) = store::take(&mut tx, id, now).await? else {
        return Err(ApiError::NotFound);
    };
    let facts = operator
        .facts(Class::Admin, action::LOCKOUT_CLEARED, Outcome::Success)
        .with_detail("lockout_id", id)
        .with_detail("kind", lockout.kind.as_str())
        .with_detail("subject", lockout.subject.clone())
        .with_detail(
            "before",
            json!({
                "failures": lockout.failures,
                "refused_until": lockout.refused_until,
            }),
        )
        .with_detail("after", json!({ "failures": 0 }));
    outbox::append(&mut tx, now, facts).await?;
    Ok(app.database.commit(tx).await?)
}
