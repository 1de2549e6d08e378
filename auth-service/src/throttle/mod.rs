//! Abuse: tries are bounded per account, per address and for both together, in the database, so that replicas agree.
//!
//! Nothing here waits: a try is admitted or refused at once. An unknown name is counted as a known one, so that being
//! refused tells nothing about it.

mod admission;
mod bucket;
pub(crate) mod device;
mod lockout;
mod refusals;
mod rule;
mod store;
mod tally;

use shared::database::Tx;
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::error::ApiError;
use crate::user;
pub(crate) use admission::{Try, admit};
pub(crate) use bucket::{Bucket, BucketKey, network_of};
pub(crate) use lockout::command;
pub(crate) use refusals::Refusals;
pub(crate) use tally::record;

/// `/v1/admin/lockouts`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    lockout::routes()
}

/// Forgets what was tried with the former password of a user, and the devices that it was typed on.
pub(crate) async fn forget_former_password(
    tx: &mut Tx<'_>,
    app: &App,
    user_id: &str,
    username: &str,
) -> Result<(), ApiError> {
    let account = Bucket::account(&app.bucket_key, &user::key_of(username), None);
    store::delete(tx, &[&account.id]).await?;
    // Whoever tried codes had the former password.
    let second_factor = Bucket::second_factor(&app.bucket_key, user_id);
    store::delete(tx, &[&second_factor.id]).await?;
    device::forget(tx, user_id).await?;
    Ok(())
}

/// Tells what is still to be told, and deletes what is over.
pub(crate) async fn upkeep(app: &App) -> Result<(), ApiError> {
    refusals::tell(app).await?;
    tally::tell(app).await?;
    let now = app.now();
    let mut tx = app.database.write().await?;
    store::purge(&mut tx, store::BUCKETS_MAX, now).await?;
    device::purge(&mut tx, now).await?;
    Ok(app.database.commit(tx).await?)
}
