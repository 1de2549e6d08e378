//! The loop that makes ranges ahead and removes what has been kept for long enough, which every collector runs and one at a time leads.

use std::time::Duration;

use serde_json::json;
use shared::clock::{SharedClock, UtcMicros};
use shared::database::{Database, DatabaseError, Hold as Lead, Task, Tx};
use shared::event::{Class, Draft, Facts, Outcome, action, event_id};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{Spool, SpoolError};

use super::alerts::{count_alerts, remove_alerts};
use super::change::Change;
use super::metrics::RetentionMetrics;
use super::removal::{Removed, count, followed_until, remove_some, table_parts};
use super::rule::Keeping;
use super::{Periods, change, partition, store};
use crate::rollup;
use crate::search::Dialect;

/// Removing. The number is "gatelog" in ASCII, and 5. A drop may take long, so that its holder is not taken for frozen.
const REMOVING: Task = Task {
    lock: 0x6761_7465_6c6f_6705,
    frozen_after: None,
};

/// How long after the start it is first done: those who come back after a rest read the log first.
const FIRST_AFTER: Duration = Duration::from_mins(1);

/// How often it is done.
const EVERY: Duration = Duration::from_hours(1);

/// Pause between two steps that remove, so that intake is not held up on SQLite, whose only writer both use.
const PAUSE: Duration = Duration::from_millis(20);

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

/// Why a run stopped. What it removed until then is removed.
#[derive(Debug, thiserror::Error)]
pub enum RetentionError {
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The run cannot be recorded, so nothing is removed.
    #[error("the run cannot be recorded: {0}")]
    Unrecorded(#[from] SpoolError),
}

/// What a run did, or would do, with one class.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Report {
    /// The class.
    pub class: Class,
    /// Days it is kept.
    pub days: u32,
    /// What happened before this moment is not kept.
    pub before: UtcMicros,
    /// What was removed.
    #[serde(flatten)]
    pub removed: Removed,
    /// Whether it was left for later because the log is not followed that far, by roll-ups or completeness.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub put_off: bool,
}

/// Removes, or waits to, until `stop`.
pub async fn run(retention: Retention, metrics: RetentionMetrics, stop: CancellationToken) {
    let mut backoff = Backoff::default();
    tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(FIRST_AFTER) => {} }
    loop {
        match sweep(&retention, &stop).await {
            Ok(reports) => {
                metrics.ran(&reports.unwrap_or_default());
                backoff.reset();
                tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(EVERY) => {} }
            }
            Err(error) => {
                tracing::warn!(%error, "events cannot be removed; trying again");
                tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
            }
        }
    }
}

/// One run: makes ranges ahead, and removes what has been kept for long enough. `None` if another process is at it.
///
/// Told to stop, it ends after the step that it is at: a `BEGIN` that is cut off on SQLite would block the writer.
pub async fn sweep(
    retention: &Retention,
    stop: &CancellationToken,
) -> Result<Option<Vec<Report>>, RetentionError> {
    let mut lead = retention.database.connect_for_hold(REMOVING).await?;
    if !lead.try_take().await? {
        return Ok(None);
    }
    // Held before anything is removed, so that the record of it is not refused afterwards.
    let room = retention.spool.reserve()?;
    let now = retention.clock.now();
    let mut reports = Vec::new();
    for configured in retention.periods.iter() {
        let keeping = put_in_force(retention, &mut lead, configured, now).await?;
        reports.push(remove(&mut lead, keeping, now, stop).await?);
    }
    let id = event_id(now);
    let facts = Facts::new(Class::System, action::RETENTION_RUN, Outcome::Success);
    let facts = facts.with_detail("classes", json!(reports));
    let draft = Draft { id, time: now, facts };
    retention
        .spool
        .hand_over(&draft, Some(&room))
        .await?
        .written()
        .await?;
    let mut tx = lead.begin().await?;
    store::note_run(&mut tx, now, id).await?;
    tx.commit().await?;
    Ok(Some(reports))
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

async fn remove(
    lead: &mut Lead,
    keeping: Keeping,
    now: UtcMicros,
    stop: &CancellationToken,
) -> Result<Report, DatabaseError> {
    let cutoff = keeping.cutoff(now);
    let mut report = report(keeping, now);
    let mut tx = lead.begin().await?;
    let dialect = Dialect::of_tx(&tx);
    partition::make_ahead(&mut tx, keeping, now).await?;
    report.put_off = followed_until(&mut tx)
        .await?
        .is_some_and(|until| until < cutoff.0);
    tx.commit().await?;
    if report.put_off {
        return Ok(report);
    }
    while !stop.is_cancelled()
        && let Some((events, held)) = drop_one(lead, keeping, now).await?
    {
        report.removed.ranges += 1;
        report.removed.events += events;
        report.removed.held += held;
    }
    for table in table_parts(keeping.class, dialect) {
        let mut place = None;
        while !stop.is_cancelled() {
            let mut tx = lead.begin().await?;
            store::lock(&mut tx).await?;
            let kept = store::kept(&mut tx).await?;
            let removed = remove_some(&mut tx, &table, (keeping.class, cutoff), (&kept, place)).await?;
            tx.commit().await?;
            let Some((events, last)) = removed else { break };
            report.removed.events += events;
            place = Some(last);
            tokio::time::sleep(PAUSE).await;
        }
    }
    let mut tx = lead.begin().await?;
    rollup::forget_names(&mut tx, keeping.class, cutoff.0).await?;
    tx.commit().await?;
    if keeping.class == Class::Alert {
        remove_due_alerts(lead, cutoff.0, &mut report.removed, stop).await?;
    }
    Ok(report)
}

/// Removes alerts as old as their events. While there is a hold none is removed: an alert names what it stands on, and no filter
/// of events says which alerts somebody may need.
async fn remove_due_alerts(
    lead: &mut Lead,
    before: UtcMicros,
    removed: &mut Removed,
    stop: &CancellationToken,
) -> Result<(), DatabaseError> {
    while !stop.is_cancelled() {
        let mut tx = lead.begin().await?;
        store::lock(&mut tx).await?;
        let counted = if store::kept(&mut tx).await?.holds() {
            (0, 0)
        } else {
            remove_alerts(&mut tx, before).await?
        };
        tx.commit().await?;
        let (alerts, messages) = counted;
        if alerts == 0 {
            return Ok(());
        }
        removed.alerts += alerts;
        removed.messages += messages;
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Drops the earliest range, if it has been kept for long enough.
async fn drop_one(
    lead: &mut Lead,
    keeping: Keeping,
    now: UtcMicros,
) -> Result<Option<(u64, u64)>, DatabaseError> {
    let mut tx = lead.begin().await?;
    store::lock(&mut tx).await?;
    let kept = store::kept(&mut tx).await?;
    let dropped = match &mut tx {
        Tx::Sqlite(_) => None,
        Tx::Postgres(tx) => {
            let ranges = partition::ranges(tx, keeping.class).await?;
            match ranges
                .first()
                .filter(|range| range.until <= keeping.cutoff(now).0)
            {
                Some(range) => Some(partition::drop_range(tx, range, &kept).await?),
                None => None,
            }
        }
    };
    tx.commit().await?;
    Ok(dropped)
}

async fn would_remove(lead: &mut Lead, keeping: Keeping, now: UtcMicros) -> Result<Report, DatabaseError> {
    let cutoff = keeping.cutoff(now);
    let mut report = report(keeping, now);
    let mut tx = lead.begin().await?;
    report.put_off = followed_until(&mut tx)
        .await?
        .is_some_and(|until| until < cutoff.0);
    let kept = store::kept(&mut tx).await?;
    let mut tables = Vec::new();
    let dialect = match &mut tx {
        Tx::Sqlite(_) => Dialect::Sqlite,
        Tx::Postgres(tx) => {
            let ranges = partition::ranges(tx, keeping.class).await?;
            let due = ranges.into_iter().filter(|range| range.until <= cutoff.0);
            tables.extend(due.map(|range| (range.name, None)));
            Dialect::Postgres
        }
    };
    report.removed.ranges = tables.len() as u64;
    let parts = table_parts(keeping.class, dialect).into_iter();
    tables.extend(parts.map(|table| (table, Some(cutoff))));
    for (table, cutoff) in tables {
        report.removed.events += count(&mut tx, &table, (keeping.class, cutoff), &kept).await?;
    }
    if keeping.class == Class::Alert && !kept.holds() {
        (report.removed.alerts, report.removed.messages) =
            count_alerts(&mut tx, keeping.cutoff(now).0).await?;
    }
    tx.commit().await?;
    Ok(report)
}

fn report(keeping: Keeping, now: UtcMicros) -> Report {
    Report {
        class: keeping.class,
        days: keeping.days,
        before: keeping.cutoff(now).0,
        removed: Removed::default(),
        put_off: false,
    }
}
