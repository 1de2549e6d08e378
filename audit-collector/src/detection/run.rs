//! The detector, which every collector runs and one at a time leads: it follows the log and keeps what it finds.

use std::sync::Arc;
use std::time::{Duration, Instant};

use shared::clock::{SharedClock, UtcMicros};
use shared::database::{DatabaseError, Hold, Task};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::{Notify, watch};

use super::engine::Again;
use super::judging::Judging;
use super::metrics::DetectionMetrics;
use super::rebuilding::{PAGE, Rebuilt, know_beginning, rebuild, records};
use super::rule::RuleSet;
use super::store::{Given, State, Step, commit, due, keep_memories, note_told, settle};
use crate::alert::{draft, told_in, untold};
use crate::event_log::{EventLog, Follower, Following, Page};
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

    async fn step(&self, hold: &mut Hold, rebuilt: &mut Rebuilt, page: Page) -> Result<(), DatabaseError> {
        let begun = Instant::now();
        // The log may have been empty until now.
        if rebuilt.state.position == 0 {
            know_beginning(&self.log, &mut rebuilt.engine).await?;
        }
        let position = page.next;
        let Some(recorded_at) = page.events.last().map(|last| last.recorded_at) else {
            return Ok(());
        };
        let records = records(&self.log, page.events);
        let memories = &rebuilt.memories;
        memories
            .give(self.log.database(), &mut rebuilt.engine, &records)
            .await?;
        let after = State {
            position,
            watermark: rebuilt.state.watermark.max(recorded_at),
            ..rebuilt.state
        };
        let mut outcome = rebuilt.engine.feed(&records, after.watermark);
        let changed = std::mem::take(&mut outcome.memories);
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
        rebuilt.memories.note(changed);
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

    /// Stores what the memories have become, if it is time.
    async fn keep_memories(&self, hold: &mut Hold, rebuilt: &mut Rebuilt) -> Result<(), DatabaseError> {
        if rebuilt.memories.are_due(Instant::now()) {
            keep_memories(hold, rebuilt.state, rebuilt.memories.all(), self.clock.now()).await?;
            rebuilt.memories.kept(Instant::now());
            rebuilt.state.memories = rebuilt.state.position;
        }
        Ok(())
    }

    fn given<'s>(&'s self, rules: &'s RuleSet, now: UtcMicros) -> Given<'s> {
        Given {
            rules,
            receivers: &self.notifying.courier.receivers,
            now,
        }
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

    const STEP_EVENTS: usize = PAGE;

    const STEP_TIMEOUT: Duration = Duration::from_mins(5);

    async fn begin(&mut self, hold: &mut Hold) -> Result<u64, DatabaseError> {
        let detector = &mut self.detector;
        detector.metrics.lead(true);
        let rules = detector.rules.borrow_and_update().clone();
        let rebuilt = rebuild(&detector.log, &rules, &self.stop).await?;
        let position = rebuilt.state.position;
        tracing::info!(rules = rules.rules().len(), position, "detecting");
        self.rebuilt = Some(rebuilt);
        detector.tell(hold).await?;
        Ok(position)
    }

    async fn take(&mut self, hold: &mut Hold, page: Page) -> Result<(), DatabaseError> {
        match &mut self.rebuilt {
            Some(rebuilt) => {
                self.detector.step(hold, rebuilt, page).await?;
                self.detector.keep_memories(hold, rebuilt).await
            }
            None => Ok(()),
        }
    }

    async fn rest(&mut self, hold: &mut Hold) -> Result<(), DatabaseError> {
        self.detector.metrics.lag(0, Duration::ZERO);
        match &mut self.rebuilt {
            Some(rebuilt) => {
                self.detector.judge_again(hold, rebuilt).await?;
                self.detector.keep_memories(hold, rebuilt).await
            }
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
