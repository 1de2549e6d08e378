//! The detector's loop, which every collector runs and one at a time leads: it follows the log and keeps what it finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::clock::SharedClock;
use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::watch;

use super::engine::{Again, Engine, Finding, Record};
use super::metrics::DetectionMetrics;
use super::past::{self, replay};
use super::place::Places;
use super::rule::RuleSet;
use super::store::{
    State, Step, beginning, commit, due, first_position, memory, note_told, record, settle, state,
};
use crate::alert::{self, draft, told_in, untold};
use crate::event_log::{EventLog, Positioned};

/// Leading the detection; see `sequencing` for the number.
const LEADING: Task = Task {
    lock: 0x6761_7465_6c6f_6703,
    frozen_after: Some("60s"),
};

/// Events in one step.
const STEP_EVENTS: usize = 1_000;

/// How often the others try to become the leader.
const TRY_EVERY: Duration = Duration::from_secs(1);

/// What came late is judged again together after this: it seldom comes alone.
const JUDGE_AGAIN_EVERY: Duration = Duration::from_secs(10);

/// What the detector needs.
#[derive(Clone, Debug)]
pub struct Detector {
    /// The log that it follows.
    pub log: EventLog,
    /// The rules in force; a change begins anew with the others.
    pub rules: watch::Receiver<RuleSet>,
    /// Where addresses are.
    pub places: Option<Arc<Places>>,
    /// Where alerts are told.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
    /// What is counted.
    pub metrics: DetectionMetrics,
}

impl Detector {
    /// Leads, or waits to lead, until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut backoff = Backoff::default();
        let mut failing = false;
        while let Err(error) = self.lead(&stop, &mut failing).await {
            self.metrics.lead(false);
            if failing {
                tracing::debug!(%error, "the detection still cannot go on");
            } else {
                tracing::warn!(%error, "the detection cannot go on; trying again");
                backoff.reset();
            }
            failing = true;
            tokio::select! { () = stop.cancelled() => return, () = backoff.wait() => {} }
        }
    }

    /// Returns when it is told to stop.
    async fn lead(&mut self, stop: &CancellationToken, failing: &mut bool) -> Result<(), DatabaseError> {
        let mut hold = self.log.database().connect_for_hold(LEADING).await?;
        while !hold.try_take().await? {
            *failing = false;
            tokio::select! { () = stop.cancelled() => return Ok(()), () = tokio::time::sleep(TRY_EVERY) => {} }
        }
        self.metrics.lead(true);
        while !stop.is_cancelled() {
            let rules = self.rules.borrow_and_update().clone();
            let follower = self.rebuild(&rules).await?;
            tracing::info!(
                rules = rules.rules().len(),
                position = follower.state.position,
                "detecting"
            );
            *failing = false;
            self.follow(&mut hold, follower, stop).await?;
        }
        Ok(())
    }

    /// The state of the engine as it was when the last step was stored, read back from the log.
    async fn rebuild(&self, rules: &RuleSet) -> Result<Follower, DatabaseError> {
        let database = self.log.database();
        let state = state(database).await?;
        let mut engine = Engine::new(rules.clone());
        if let Some(begun) = beginning(database).await? {
            engine.know_from(begun);
        }
        let from = state.watermark.minus(Engine::reach(rules));
        if let Some(mut position) = first_position(database, from).await? {
            while position < state.position {
                let mut page = self.log.read_positions(position, STEP_EVENTS).await?;
                page.retain(|event| event.position < state.position);
                let Some(last) = page.last() else { break };
                position = last.position + 1;
                engine.rebuild(&self.records(page));
            }
        }
        engine.resume(state.watermark);
        let since = from.minus(Duration::from_hours(24));
        for (_, alert) in told_in(database, since, state.watermark.plus(Duration::from_hours(24))).await? {
            if let Some(finding) = known(rules, alert) {
                engine.recall(&finding);
            }
        }
        Ok(Follower {
            engine,
            rules: rules.clone(),
            state,
            judged_at: Instant::now(),
        })
    }

    /// Follows the log until it is told to stop or the rules change.
    async fn follow(
        &mut self,
        hold: &mut Hold,
        mut follower: Follower,
        stop: &CancellationToken,
    ) -> Result<(), DatabaseError> {
        let mut growth = self.log.growth();
        self.tell(hold).await?;
        loop {
            if stop.is_cancelled() || self.rules.has_changed().unwrap_or(false) {
                return Ok(());
            }
            let page = self
                .log
                .read_positions(follower.state.position, STEP_EVENTS)
                .await?;
            if page.is_empty() {
                self.metrics.lag(0, Duration::ZERO);
                self.judge_again(hold, &mut follower).await?;
                tokio::select! { () = stop.cancelled() => {}, () = growth.awaited() => {} }
                continue;
            }
            self.step(hold, &mut follower, page).await?;
        }
    }

    async fn step(
        &self,
        hold: &mut Hold,
        follower: &mut Follower,
        page: Vec<Positioned>,
    ) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        let Some((position, recorded_at)) = page.last().map(|last| (last.position + 1, last.recorded_at))
        else {
            return Ok(());
        };
        let records = self.records(page);
        for key in follower.engine.wanted_memories(&records) {
            let known = memory(self.log.database(), &key).await?;
            follower.engine.remember(key, known);
        }
        let after = State {
            position,
            watermark: follower.state.watermark.max(recorded_at),
        };
        let outcome = follower.engine.feed(&records, after.watermark);
        let now = self.clock.now();
        let step = Step {
            before: follower.state,
            after,
            outcome: &outcome,
            again: outcome.late.map(|late| Again::of(&follower.rules, late)),
            rules: &follower.rules,
            now,
        };
        commit(hold, &step).await?;
        follower.state = after;
        self.metrics.stepped(&outcome, begun.elapsed());
        if !outcome.raised.is_empty() {
            self.tell(hold).await?;
        }
        let size = self.log.size().await?;
        self.metrics
            .lag(size.saturating_sub(position), now.since(recorded_at));
        Ok(())
    }

    /// Writes the events of alerts that have none yet. What is written twice after a crash is one event: its id and its
    /// content follow from the alert.
    async fn tell(&self, hold: &mut Hold) -> Result<(), DatabaseError> {
        loop {
            let alerts = untold(self.log.database()).await?;
            if alerts.is_empty() {
                return Ok(());
            }
            for alert in &alerts {
                if let Err(error) = self.spool.append(draft(alert)).await {
                    tracing::error!(%error, alert = alert.fingerprint, "an alert could not be told");
                    return Ok(());
                }
                tracing::warn!(
                    rule = alert.rule,
                    severity = alert.severity,
                    fingerprint = alert.fingerprint,
                    "alert: {}",
                    alert.title
                );
                note_told(hold, alert).await?;
            }
        }
    }

    /// Judges again what came late, once it has had time to come.
    async fn judge_again(&self, hold: &mut Hold, follower: &mut Follower) -> Result<(), DatabaseError> {
        if follower.judged_at.elapsed() < JUDGE_AGAIN_EVERY {
            return Ok(());
        }
        follower.judged_at = Instant::now();
        let database = self.log.database();
        let Some(again) = due(database).await? else {
            return Ok(());
        };
        let judged = Again::judged(&follower.rules);
        let span = past::Span {
            from: again.reads_from(&follower.rules),
            until: again.until,
        };
        let ledger = replay(
            database,
            &judged,
            span,
            follower.state.watermark,
            self.places.as_deref(),
        )
        .await?;
        let told = told_in(database, again.from, again.until).await?;
        let told: Vec<_> = told.into_iter().map(|(told, _)| told).collect();
        let outcome = again.judge(&follower.rules, ledger, &told, follower.state.watermark);
        settle(hold, again, &outcome, &follower.rules, self.clock.now()).await?;
        follower.engine.correct(&outcome);
        self.tell(hold).await
    }

    fn records(&self, page: Vec<Positioned>) -> Vec<Record> {
        let places = self.places.as_deref();
        let of = |positioned: Positioned| {
            Some(record(
                positioned.event?,
                positioned.recorded_at,
                positioned.time_suspect,
                places,
            ))
        };
        page.into_iter().filter_map(of).collect()
    }
}

/// The engine and how far it has come.
#[derive(Debug)]
struct Follower {
    engine: Engine,
    rules: RuleSet,
    state: State,
    judged_at: Instant,
}

/// A stored alert as the engine knows it, if its rule is still in force.
fn known(rules: &RuleSet, alert: alert::AlertBody) -> Option<Finding> {
    let rule = Arc::clone(rules.find(&alert.rule)?);
    let value = |name: String| alert.group.get(&name)?.as_str().map(str::to_owned);
    let group = rule.group_names().into_iter().map(value).collect::<Option<_>>()?;
    Some(Finding {
        fingerprint: super::engine::Fingerprint::parse(&alert.fingerprint)?,
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
