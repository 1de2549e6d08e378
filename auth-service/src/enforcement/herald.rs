//! Tells every verifier what was appended to the log, as soon as it is committed, and each second that the feed is alive.
//!
//! Every replica does: what several say is the same, and saying it twice changes nothing. What is not heard is asked for.

use std::time::Duration;

use shared::enforcement::Announcement;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::{Announcer, PublishError};
use tokio::time::{MissedTickBehavior, interval};

use super::store;
use crate::app::App;
use shared::database::DatabaseError;

/// How often something is said although nothing has happened. It also finds what other replicas have appended.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Debug, thiserror::Error)]
enum HeraldError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

/// Tells until it is told to stop.
pub(crate) async fn run(app: App, mut announcer: Announcer, stop: CancellationToken) {
    let mut commits = app.database.commits();
    let mut ticks = interval(HEARTBEAT);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = None;
    let mut failing = false;
    loop {
        let is_heartbeat = tokio::select! {
            _ = ticks.tick() => true,
            changed = commits.changed() => changed.is_err(),
            () = stop.cancelled() => return,
        };
        match tell(&app, &mut announcer, &mut told, is_heartbeat).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "revocations still cannot be announced"),
            Err(error) => {
                tracing::warn!(%error, "revocations cannot be announced; verifiers ask for them");
                failing = true;
            }
        }
    }
}

/// Announces what was appended after `told`, or nothing but life. What cannot be announced is not tried again: verifiers see by
/// the next word that they lack it.
async fn tell(
    app: &App,
    announcer: &mut Announcer,
    told: &mut Option<i64>,
    is_heartbeat: bool,
) -> Result<(), HeraldError> {
    // One statement: most commits append nothing, and each is looked at.
    let head = store::look_up_head(&app.database).await?;
    let after = told.unwrap_or(head);
    if after == head && !is_heartbeat {
        *told = Some(head);
        return Ok(());
    }
    let mut tx = app.database.read().await?;
    let page = store::page(&mut tx, after, app.now()).await?;
    drop(tx);
    *told = Some(page.cursor);
    if page.entries.is_empty() && !is_heartbeat {
        return Ok(());
    }
    let body = serde_json::to_vec(&Announcement { after, page })?;
    Ok(announcer.announce(body).await?)
}
