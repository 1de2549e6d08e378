//! The detector, which every collector runs and one at a time leads: it follows the log and keeps what it finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::clock::{SharedClock, UtcMicros};
use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::{Notify, watch};

use super::engine::{Again, Engine, Finding, Record};
use super::judging::{Judging, Lateness};
use super::memory;
use super::metrics::DetectionMetrics;
use super::place::place;
use super::rule::RuleSet;
use super::store::{Given, State, Step, beginning, commit, due, first_position, note_told, settle, state};
use crate::alert::{self, draft, told_in, untold};
use crate::event_log::{EventLog, Follower, Following, Page, Positioned};
use crate::leading;
use crate::notification::Notifying;
use crate::response::Ended;

/// What the detector needs.
#[derive(Clone, Debug)]
pub struct Detector {
    /// The log that it follows.
    pub log: EventLog,
    /// The rules in force; a change begins anew with the others.
    pub rules: watch::Receiver<RuleSet>,
    /// Who else is told of alerts.
    pub notifying: Notifying,
    /// Tells the one who carries orders out that there may be one.
    pub ordered: Arc<Notify>,
    /// Where alerts are told.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
    /// What is counted.
    pub metrics: DetectionMetrics,
}

impl Detector {
    /// Leads, or waits to lead, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let (log, database) = (self.log.clone(), self.log.database().clone());
        let follower = Detecting {
            detector: self,
            rebuilt: None,
            stop: stop.clone(),
        };
        leading::run(Following { log, follower }, database, stop).await;
    }

    /// The state of the engine as it was when the last step was stored, read back from the log.
    ///
    /// After the order to stop it is a part of that, which nothing is fed to.
    async fn rebuild(&self, rules: &RuleSet, stop: &CancellationToken) -> Result<Rebuilt, DatabaseError> {
        let database = self.log.database();
        let state = state(database).await?;
        let mut engine = Engine::new(rules.clone());
        self.know_beginning(&mut engine).await?;
        let from = state
            .watermark
            .minus(Engine::reach(rules, self.log.places().is_some()));
        if let Some(mut position) = first_position(database, from).await? {
            while position < state.position && !stop.is_cancelled() {
                let mut page = self.log.read_positions(position, Detecting::STEP_EVENTS).await?;
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
        // What was noted before is not known here.
        let mut lateness = Lateness::default();
        lateness.note(Instant::now());
        Ok(Rebuilt {
            engine,
            rules: rules.clone(),
            state,
            lateness,
            judging: None,
        })
    }

    /// Tells the engine since when the log is known, if it has begun.
    async fn know_beginning(&self, engine: &mut Engine) -> Result<(), DatabaseError> {
        if let Some(begun) = beginning(self.log.database()).await? {
            engine.know_from(begun);
        }
        Ok(())
    }

    async fn step(&self, hold: &mut Hold, rebuilt: &mut Rebuilt, page: Page) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        // The log may have been empty until now.
        if rebuilt.state.position == 0 {
            self.know_beginning(&mut rebuilt.engine).await?;
        }
        let position = page.next;
        let Some(recorded_at) = page.events.last().map(|last| last.recorded_at) else {
            return Ok(());
        };
        let records = self.records(page.events);
        let wanted = rebuilt.engine.wanted_memories(&records);
        let mut known = memory::known(self.log.database(), &wanted).await?;
        for key in wanted {
            let kept = known.remove(&key).unwrap_or_default();
            rebuilt.engine.remember(key, kept);
        }
        let after = State {
            position,
            watermark: rebuilt.state.watermark.max(recorded_at),
        };
        let outcome = rebuilt.engine.feed(&records, after.watermark);
        let now = self.clock.now();
        let step = Step {
            before: rebuilt.state,
            after,
            outcome: &outcome,
            again: outcome.late.map(|late| Again::of(&rebuilt.rules, late)),
            ended: records
                .iter()
                .filter_map(|record| Ended::told_by(&record.event))
                .collect(),
            given: self.given(&rebuilt.rules, now),
        };
        commit(hold, &step).await?;
        rebuilt.state = after;
        if outcome.late.is_some() {
            rebuilt.lateness.note(Instant::now());
        }
        self.metrics.stepped(&outcome, begun.elapsed());
        if !outcome.raised.is_empty() || !step.ended.is_empty() {
            self.ordered.notify_one();
        }
        if !outcome.raised.is_empty() {
            self.notifying.queued.notify_one();
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

    /// Judges again what came late, once it has had time to come: a slice of it, or its end.
    async fn judge_again(&self, hold: &mut Hold, rebuilt: &mut Rebuilt) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        let mut judging = match rebuilt.judging.take() {
            Some(judging) => judging,
            None if rebuilt.lateness.is_due(Instant::now()) => {
                rebuilt.lateness.begin();
                let Some(due) = due(hold, now).await? else {
                    return Ok(());
                };
                rebuilt.engine.keep_from(rebuilt.state.watermark);
                Judging::begin(&self.log, &rebuilt.rules, due, rebuilt.state.watermark).await?
            }
            None => return Ok(()),
        };
        if !judging.go_on().await? {
            rebuilt.judging = Some(judging);
            return Ok(());
        }
        rebuilt.lateness.end(judging.spent());
        let (due, watermark) = (judging.due, judging.watermark);
        let told = told_in(self.log.database(), due.again.from, due.again.until).await?;
        let told: Vec<_> = told.into_iter().map(|(told, _)| told).collect();
        let found = due.again.judge(&rebuilt.rules, judging.end(), &told, watermark);
        let outcome = rebuilt.engine.correct(&found, watermark);
        settle(hold, due, &outcome, self.given(&rebuilt.rules, now)).await?;
        self.notifying.queued.notify_one();
        self.ordered.notify_one();
        self.tell(hold).await
    }

    fn given<'s>(&'s self, rules: &'s RuleSet, now: UtcMicros) -> Given<'s> {
        Given {
            rules,
            receivers: &self.notifying.courier.receivers,
            now,
        }
    }

    fn records(&self, page: Vec<Positioned>) -> Vec<Record> {
        let of = |positioned: Positioned| {
            let event = positioned.event?;
            let place = place(&self.log, &event, positioned.locality, &positioned.original);
            Some(Record {
                event,
                place,
                recorded_at: positioned.recorded_at,
                time_suspect: positioned.time_suspect,
            })
        };
        page.into_iter().filter_map(of).collect()
    }
}

/// A detector at work.
struct Detecting {
    detector: Detector,
    /// None until it leads.
    rebuilt: Option<Rebuilt>,
    stop: CancellationToken,
}

impl Follower for Detecting {
    type Error = DatabaseError;

    /// See `sequencing` for the number.
    const TASK: Task = Task {
        lock: 0x6761_7465_6c6f_6703,
        frozen_after: Some("60s"),
    };

    const FAILURE: &'static str = "the detection cannot go on";

    const STEP_EVENTS: usize = 8_000;

    const STEP_TIMEOUT: Duration = Duration::from_mins(5);

    async fn begin(&mut self, hold: &mut Hold) -> Result<u64, DatabaseError> {
        let detector = &mut self.detector;
        detector.metrics.lead(true);
        let rules = detector.rules.borrow_and_update().clone();
        let rebuilt = detector.rebuild(&rules, &self.stop).await?;
        let position = rebuilt.state.position;
        tracing::info!(rules = rules.rules().len(), position, "detecting");
        self.rebuilt = Some(rebuilt);
        detector.tell(hold).await?;
        Ok(position)
    }

    async fn take(&mut self, hold: &mut Hold, page: Page) -> Result<(), DatabaseError> {
        match &mut self.rebuilt {
            Some(rebuilt) => self.detector.step(hold, rebuilt, page).await,
            None => Ok(()),
        }
    }

    async fn rest(&mut self, hold: &mut Hold) -> Result<(), DatabaseError> {
        self.detector.metrics.lag(0, Duration::ZERO);
        match &mut self.rebuilt {
            Some(rebuilt) => self.detector.judge_again(hold, rebuilt).await,
            None => Ok(()),
        }
    }

    fn is_outdated(&self) -> bool {
        self.detector.rules.has_changed().unwrap_or(false)
    }

    fn lost(&self) {
        self.detector.metrics.lead(false);
    }
}

/// The engine and how far it has come.
#[derive(Debug)]
struct Rebuilt {
    engine: Engine,
    rules: RuleSet,
    state: State,
    lateness: Lateness,
    judging: Option<Judging>,
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
