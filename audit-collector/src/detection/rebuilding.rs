//! The engine as it was when the last step was stored, read back from the log by who begins to lead.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::database::DatabaseError;
use shared::runtime::shutdown::CancellationToken;

use super::engine::{Engine, Finding, Fingerprint, Record};
use super::judging::{Judging, Lateness};
use super::memory::Unkept;
use super::place::place;
use super::rule::RuleSet;
use super::store::{State, beginning, first_position, state};
use crate::alert::{AlertBody, told_in};
use crate::event_log::{EventLog, Positioned};

/// Events that are read at a time, also of those that are new.
pub(super) const PAGE: usize = 8_000;

/// The engine and how far it has come.
#[derive(Debug)]
pub(super) struct Rebuilt {
    pub(super) engine: Engine,
    pub(super) rules: RuleSet,
    pub(super) state: State,
    pub(super) memories: Unkept,
    pub(super) lateness: Lateness,
    pub(super) judging: Option<Judging>,
}

/// Reads it back. After the order to stop it is a part of that, which nothing is fed to.
pub(super) async fn rebuild(
    log: &EventLog,
    rules: &RuleSet,
    stop: &CancellationToken,
) -> Result<Rebuilt, DatabaseError> {
    let database = log.database();
    let state = state(database).await?;
    let mut engine = Engine::new(rules.clone());
    know_beginning(log, &mut engine).await?;
    let from = state
        .watermark
        .minus(Engine::reach(rules, log.places().is_some()));
    let first = first_position(database, from).await?;
    let mut memories = Unkept::new(Instant::now());
    let mut position = first.map_or(state.memories, |first| first.min(state.memories));
    while position < state.position && !stop.is_cancelled() {
        let mut page = log.read_positions(position, PAGE).await?;
        page.retain(|event| event.position < state.position);
        let Some(last) = page.last() else { break };
        position = last.position + 1;
        let unnoted = page.split_off(page.partition_point(|event| event.position < state.memories));
        engine.rebuild(&records(log, page));
        let unnoted = records(log, unnoted);
        engine.rebuild(&unnoted);
        memories.give(database, &mut engine, &unnoted).await?;
        memories.note(engine.note_again(&unnoted));
    }
    engine.resume(state.watermark);
    let since = from.minus(Duration::from_hours(24));
    for (_, alert) in told_in(database, since, state.watermark.plus(Duration::from_hours(24))).await? {
        if let Some(finding) = known(rules, alert) {
            engine.recall(&finding);
        }
    }
    // What was noted before is not known here.
    let mut lateness = Lateness::default();
    lateness.note(Instant::now());
    Ok(Rebuilt {
        engine,
        rules: rules.clone(),
        state,
        memories,
        lateness,
        judging: None,
    })
}

/// Tells the engine since when the log is known, if it has begun.
pub(super) async fn know_beginning(log: &EventLog, engine: &mut Engine) -> Result<(), DatabaseError> {
    if let Some(begun) = beginning(log.database()).await? {
        engine.know_from(begun);
    }
    Ok(())
}

/// Stored events as the engine takes them.
pub(super) fn records(log: &EventLog, page: Vec<Positioned>) -> Vec<Record> {
    let of = |positioned: Positioned| {
        let event = positioned.event?;
        let place = place(log, &event, positioned.locality, &positioned.original);
        Some(Record {
            event,
            place,
            recorded_at: positioned.recorded_at,
            time_suspect: positioned.time_suspect,
        })
    };
    page.into_iter().filter_map(of).collect()
}

/// A stored alert as the engine knows it, if its rule is still in force.
fn known(rules: &RuleSet, alert: AlertBody) -> Option<Finding> {
    let rule = Arc::clone(rules.find(&alert.rule)?);
    let value = |name: String| alert.group.get(&name)?.as_str().map(str::to_owned);
    let group = rule.group_names().into_iter().map(value).collect::<Option<_>>()?;
    Some(Finding {
        fingerprint: Fingerprint::parse(&alert.fingerprint)?,
        rule,
        group,
        window_start: alert.window_start,
        at: alert.fired_at,
        since: alert.since,
        until: alert.until,
        value: alert.value,
        evidence: alert.evidence,
    })
}
