//! The loop that makes ranges ahead and removes what has been kept for long enough, which every collector runs and one at a time leads.

use std::time::Duration;

use serde_json::json;
use shared::clock::{SharedClock, UtcMicros};
use shared::database::{Database, DatabaseError, Hold as Lead, Task};
use shared::event::{Class, Draft, Facts, Outcome, action, event_id};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{Reservation, Spool, SpoolError};
use uuid::Uuid;

use super::change::Change;
use super::metrics::RetentionMetrics;
use super::removal::{remove, would_remove};
use super::rule::Keeping;
use super::{Periods, Report, change, store};

/// Removing. The number is "gatelog" in ASCII, and 5. A drop may take long, so that its holder is not taken for frozen.
const REMOVING: Task = Task {
    lock: 0x6761_7465_6c6f_6705,
    frozen_after: None,
};

/// How long after the start it is first done: those who come back after a rest read the log first.
const FIRST_AFTER: Duration = Duration::from_mins(1);

/// How often it is done.
const EVERY: Duration = Duration::from_hours(1);

/// What removing needs.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The database.
    pub database: Database,
    /// What the settings ask for.
    pub periods: Periods,
    /// Where runs are told.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
}

/// A run that did not come to its end. What it had removed until then is removed, and recorded.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Unfinished {
    /// What it had done.
    pub reports: Vec<Report>,
    /// What ended it.
    #[source]
    pub error: RetentionError,
}

impl<E: Into<RetentionError>> From<E> for Unfinished {
    fn from(error: E) -> Self {
        Self {
            reports: Vec::new(),
            error: error.into(),
        }
    }
}

/// Why a run stopped.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The run cannot be recorded, so nothing is removed.
    #[error("the run cannot be recorded: {0}")]
    Unrecorded(#[from] SpoolError),
}

/// Removes, or waits to, until `stop`.
pub async fn run(retention: Retention, metrics: RetentionMetrics, stop: CancellationToken) {
    tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(FIRST_AFTER) => {} }
    loop {
        match sweep(&retention, &stop).await {
            Ok(reports) => metrics.ran(&reports.unwrap_or_default()),
            Err(Unfinished { reports, error }) => {
                metrics.ran(&reports);
                tracing::warn!(%error, "events could not be removed; it is tried again in an hour");
            }
        }
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(EVERY) => {} }
    }
}

/// One run: makes ranges ahead, and removes what has been kept for long enough. `None` if another process is at it.
///
/// Told to stop, it ends after the step that it is at: a `BEGIN` that is cut off on SQLite would block the writer. Whatever ends it,
/// what it removed until then is recorded.
pub async fn sweep(
    retention: &Retention,
    stop: &CancellationToken,
) -> Result<Option<Vec<Report>>, Unfinished> {
    let mut lead = retention.database.connect_for_hold(REMOVING).await?;
    if !lead.try_take().await? {
        return Ok(None);
    }
    // Held before anything is removed, so that the record of it is not refused afterwards.
    let room = retention.spool.reserve()?;
    let now = retention.clock.now();
    let id = event_id(now);
    let told = |facts: Facts, reports: &[Report]| Draft {
        id,
        time: now,
        facts: facts.with_detail("classes", json!(reports)),
    };
    // What is told of a run in which the process is killed.
    let intent = told(failed("outcome_unknown"), &[]);
    retention.spool.intend(&intent).await?;
    let mut reports = Vec::new();
    let ended = every_class(retention, &mut lead, (&mut reports, now), stop).await;
    let facts = match &ended {
        Ok(()) => Facts::new(Class::System, action::RETENTION_RUN, Outcome::Success),
        Err(_) => failed("unfinished"),
    };
    let recorded = record(&retention.spool, &told(facts, &reports), &room).await;
    let done = match (ended, recorded) {
        (Ok(()), Ok(())) => note(&mut lead, now, id).await.map_err(RetentionError::from),
        (Err(error), _) => Err(error),
        (Ok(()), Err(error)) => Err(error.into()),
    };
    match done {
        Ok(()) => Ok(Some(reports)),
        Err(error) => Err(Unfinished { reports, error }),
    }
}

async fn note(lead: &mut Lead, now: UtcMicros, id: Uuid) -> Result<(), DatabaseError> {
    let mut tx = lead.begin().await?;
    store::note_run(&mut tx, now, id).await?;
    tx.commit().await?;
    Ok(())
}

fn failed(reason: &str) -> Facts {
    Facts::new(Class::System, action::RETENTION_RUN, Outcome::Error).because(reason)
}

async fn record(spool: &Spool, draft: &Draft, room: &Reservation) -> Result<(), SpoolError> {
    spool.hand_over(draft, Some(room)).await?.written().await
}

/// One class after the other; what came of each stands in `reports`, also of the one that failed.
async fn every_class(
    retention: &Retention,
    lead: &mut Lead,
    (reports, now): (&mut Vec<Report>, UtcMicros),
    stop: &CancellationToken,
) -> Result<(), RetentionError> {
    for configured in retention.periods.iter() {
        let keeping = put_in_force(retention, lead, configured, now).await?;
        let mut report = Report::new(keeping, now);
        let removed = remove(lead, &mut report, keeping, now, stop).await;
        reports.push(report);
        removed?;
    }
    Ok(())
}

/// What a run would remove. It changes nothing.
pub async fn preview(
    database: &Database,
    periods: &Periods,
    now: UtcMicros,
) -> Result<Vec<Report>, DatabaseError> {
    let mut lead = database.connect_for_hold(REMOVING).await?;
    let mut reports = Vec::new();
    for configured in periods.iter() {
        let mut tx = lead.begin().await?;
        let days = store::days(&mut tx, configured.class).await?.unwrap_or(0);
        tx.commit().await?;
        let keeping = Keeping {
            days: days.max(configured.days),
            ..configured
        };
        reports.push(would_remove(&mut lead, keeping, now).await?);
    }
    Ok(reports)
}

/// Puts the days of the settings in force, unless they are fewer than before, which somebody must confirm; and returns those in force.
async fn put_in_force(
    retention: &Retention,
    lead: &mut Lead,
    configured: Keeping,
    now: UtcMicros,
) -> Result<Keeping, RetentionError> {
    let mut tx = lead.begin().await?;
    let days = store::days(&mut tx, configured.class)
        .await?
        .unwrap_or(configured.days);
    let mut told = None;
    if days <= configured.days {
        store::set_days(&mut tx, configured).await?;
        told = (days < configured.days).then(|| lengthened(configured, days));
    } else {
        let change = Change::of_settings(configured, days, now);
        if change::store::ask(&mut tx, &change).await? {
            let facts = Facts::new(Class::Admin, action::RETENTION_CHANGE_REQUESTED, Outcome::Success);
            let facts = facts.with_detail("before", json!(null));
            told = Some(facts.with_detail("after", json!(change)));
        }
    }
    if let Some(facts) = told {
        retention.spool.append(Draft::new(now, facts)).await?;
    }
    tx.commit().await?;
    Ok(Keeping {
        days: days.max(configured.days),
        ..configured
    })
}

fn lengthened(keeping: Keeping, before: u32) -> Facts {
    Facts::new(Class::Admin, action::RETENTION_LENGTHENED, Outcome::Success)
        .with_detail("class", keeping.class.as_str())
        .with_detail("before", before)
        .with_detail("after", keeping.days)
}
