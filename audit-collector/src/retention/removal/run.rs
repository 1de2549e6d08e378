//! One class: what is due of it is removed, or only counted.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Hold as Lead, Tx};
use shared::event::Class;
use shared::runtime::shutdown::CancellationToken;

use super::{Removed, count, followed_until, remove_some, table_parts};
use crate::retention::alerts::{count_alerts, remove_alerts};
use crate::retention::rule::{Cutoff, Keeping};
use crate::retention::{PutOff, Report, partition, store};
use crate::rollup;
use crate::search::Dialect;

/// Pause between two steps that remove, so that intake is not held up on SQLite, whose only writer both use.
const PAUSE: Duration = Duration::from_millis(20);

/// Makes the ranges ahead of a class and removes what is due of it, and says so in `report`, however it ends.
///
/// A class whose tables are in use is left for the next run: tried again at once, each try would hold its readers up behind it.
pub(in crate::retention) async fn remove(
    lead: &mut Lead,
    report: &mut Report,
    keeping: Keeping,
    now: UtcMicros,
    stop: &CancellationToken,
) -> Result<(), DatabaseError> {
    match remove_due(lead, report, keeping, now, stop).await {
        Err(error) if error.is_in_use() => {
            report.put_off = Some(PutOff::InUse);
            Ok(())
        }
        ended => ended,
    }
}

async fn remove_due(
    lead: &mut Lead,
    report: &mut Report,
    keeping: Keeping,
    now: UtcMicros,
    stop: &CancellationToken,
) -> Result<(), DatabaseError> {
    let cutoff = keeping.cutoff(now);
    let mut tx = lead.begin().await?;
    let dialect = Dialect::of_tx(&tx);
    partition::make_ahead(&mut tx, keeping, now).await?;
    report.put_off = unfollowed(&mut tx, cutoff).await?;
    tx.commit().await?;
    if report.put_off.is_some() {
        return Ok(());
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
    Ok(())
}

async fn unfollowed(tx: &mut Tx<'_>, cutoff: Cutoff) -> Result<Option<PutOff>, DatabaseError> {
    let until = followed_until(tx).await?;
    Ok(until
        .is_some_and(|until| until < cutoff.0)
        .then_some(PutOff::Unfollowed))
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

/// What removing would do with a class. It changes nothing.
pub(in crate::retention) async fn would_remove(
    lead: &mut Lead,
    keeping: Keeping,
    now: UtcMicros,
) -> Result<Report, DatabaseError> {
    let cutoff = keeping.cutoff(now);
    let mut report = Report::new(keeping, now);
    let mut tx = lead.begin().await?;
    report.put_off = unfollowed(&mut tx, cutoff).await?;
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
