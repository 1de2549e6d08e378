//! The loop that sends messages, which every collector runs and one at a time leads.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use shared::clock::{SharedClock, UtcMicros};
use shared::database::{DatabaseError, Hold, Task};
use shared::event::{Class, Draft, Facts, Outcome, action};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Next};
use super::courier::Courier;
use super::limit::{self, Held};
use super::metrics::NotificationMetrics;
use super::notice::{Notice, link_to};
use super::receiver::Receiver;
use super::store::{self, Due, Taken};
use crate::alert;
use crate::event_log::EventLog;
use crate::leading::{self, Lead, Leader};

/// Leading the notifications; see `sequencing` for the number.
const LEADING: Task = Task {
    lock: 0x6761_7465_6c6f_6706,
    frozen_after: Some("60s"),
};

/// How often the leader looks for messages that others made.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long what waits for a receiver that the settings do not name (any more) is kept: others may have newer settings.
const UNKNOWN_FOR: Duration = Duration::from_hours(1);

/// The span in which messages are counted.
const LIMIT_SPAN: Duration = Duration::from_hours(1);

/// When a receiver that did not take it is told again that messages were held back.
const HELD_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// How long tries under way are waited for at the end, so that few messages are sent twice by a restart.
const END_WITHIN: Duration = Duration::from_secs(5);

/// What sends messages.
#[derive(Clone, Debug)]
pub struct Notifier {
    /// The log with the alerts.
    pub log: EventLog,
    /// Who carries them.
    pub courier: Courier,
    /// Told of messages that this collector made.
    pub queued: Arc<Notify>,
    /// Where it is told that a message will not arrive.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
    /// What is counted.
    pub metrics: NotificationMetrics,
}

/// What is to be sent to a receiver.
#[derive(Clone, Debug)]
enum Work {
    /// A message about an alert.
    Message(Due),
    /// That messages were held back.
    HeldBack(Held),
}

/// A try that was made.
struct Tried<'n> {
    receiver: &'n Receiver,
    work: Work,
    attempt: Attempt,
    taken: Taken,
}

/// What the leader keeps in mind of receivers.
#[derive(Default)]
struct Minding<'n> {
    /// One message at a time for each receiver, so that one that is slow delays nobody else.
    busy: BTreeSet<&'n str>,
    /// When a receiver may be told next that messages were held back.
    held_next_at: BTreeMap<&'n str, UtcMicros>,
}

impl Leader for Notifier {
    type Error = DatabaseError;

    fn task(&self) -> Task {
        LEADING
    }

    fn failure(&self) -> &'static str {
        "notifications cannot be sent"
    }

    async fn lead(&mut self, lead: &mut Lead) -> Result<(), DatabaseError> {
        self.forget_unknown(&mut lead.hold).await?;
        lead.is_well();
        self.send(lead).await
    }
}

impl Notifier {
    /// Leads, or waits to lead, until `stop`.
    pub async fn run(self, stop: CancellationToken) {
        let database = self.log.database().clone();
        leading::run(self, database, stop).await;
    }

    async fn send(&self, lead: &mut Lead) -> Result<(), DatabaseError> {
        let mut under_way = FuturesUnordered::new();
        let mut minding = Minding::default();
        while !lead.stop.is_cancelled() {
            for receiver in self.courier.receivers.iter() {
                if let Some(work) = self.next(receiver, &mut lead.hold, &minding).await? {
                    minding.busy.insert(&receiver.name);
                    under_way.push(self.attempt(receiver, work));
                }
            }
            tokio::select! {
                () = lead.stop.cancelled() => {}
                Some(tried) = under_way.next() => {
                    let tried = tried?;
                    self.note(&mut lead.hold, &tried, &mut minding).await?;
                }
                () = self.queued.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            lead.hold.keep().await?;
        }
        // Only sending is cut off: a `BEGIN` that is cut off on SQLite would block the writer.
        let end = Instant::now() + END_WITHIN;
        while let Ok(Some(tried)) = timeout_at(end, under_way.next()).await {
            self.note(&mut lead.hold, &tried?, &mut minding).await?;
        }
        Ok(())
    }

    /// What is to be sent to a receiver now. When it got as many messages as it gets in an hour, the others are held back, but for
    /// those that somebody asked for.
    async fn next(
        &self,
        receiver: &Receiver,
        hold: &mut Hold,
        minding: &Minding<'_>,
    ) -> Result<Option<Work>, DatabaseError> {
        let name = receiver.name.as_str();
        if minding.busy.contains(name) {
            return Ok(None);
        }
        let (database, now) = (self.log.database(), self.clock.now());
        let due = store::due(database, (name, false), now).await?;
        let held = limit::held(database, name).await?;
        if due.is_none() && held.is_none() {
            return Ok(None);
        }
        let got = limit::delivered_since(database, name, now.minus(LIMIT_SPAN)).await?;
        if got >= i64::from(receiver.per_hour) {
            if let Some(due) = store::due(database, (name, true), now).await? {
                return Ok(Some(Work::Message(due)));
            }
            // What was tried before waits for its turn.
            if due.is_none_or(|due| due.attempts > 0) {
                return Ok(None);
            }
            let mut tx = hold.begin().await?;
            let count = limit::hold_back(&mut tx, name, now).await?;
            tx.commit().await?;
            tracing::warn!(
                receiver = name,
                count,
                "messages about alerts are held back: there are too many"
            );
            return Ok(None);
        }
        let is_told_now = minding.held_next_at.get(name).is_none_or(|at| *at <= now);
        if let Some(held) = held.filter(|_| is_told_now) {
            return Ok(Some(Work::HeldBack(held)));
        }
        Ok(due.map(Work::Message))
    }

    async fn attempt<'n>(&'n self, receiver: &'n Receiver, work: Work) -> Result<Tried<'n>, DatabaseError> {
        let begun_at = self.clock.now();
        let notice = match &work {
            Work::Message(due) => self.notice(due).await?,
            Work::HeldBack(held) => {
                let (many, made) = ((held.count, receiver.per_hour), (held.id(), held.until));
                Some(Notice::held_back(many, made, &self.courier.public_url))
            }
        };
        let attempt = match notice {
            Some(notice) => self.courier.carry(receiver, &notice).await,
            // Retention took it, and the message with it.
            None => Attempt::without_alert(),
        };
        let taken = Taken {
            begun_at,
            ended_at: self.clock.now(),
        };
        Ok(Tried {
            receiver,
            work,
            attempt,
            taken,
        })
    }

    /// The message as its alert stands now, if it still does.
    async fn notice(&self, due: &Due) -> Result<Option<Notice>, DatabaseError> {
        let alert = alert::read(self.log.database(), due.fingerprint).await?;
        Ok(alert.map(|alert| Notice {
            id: due.id,
            kind: due.kind,
            made_at: due.made_at,
            link: link_to(&self.courier.public_url, &alert.fingerprint),
            alert,
        }))
    }

    async fn note<'n>(
        &self,
        hold: &mut Hold,
        tried: &Tried<'n>,
        minding: &mut Minding<'n>,
    ) -> Result<(), DatabaseError> {
        minding.busy.remove(tried.receiver.name.as_str());
        match &tried.work {
            Work::Message(due) => self.note_message(hold, tried, due).await,
            Work::HeldBack(held) => {
                let is_told = tried.attempt.problem().is_none();
                let wait = if is_told { LIMIT_SPAN } else { HELD_AGAIN_AFTER };
                let next_at = tried.taken.ended_at.plus(wait);
                minding.held_next_at.insert(&tried.receiver.name, next_at);
                if !is_told {
                    return Ok(());
                }
                let mut tx = hold.begin().await?;
                limit::note_told(&mut tx, &tried.receiver.name, *held).await?;
                tx.commit().await
            }
        }
    }

    async fn note_message(&self, hold: &mut Hold, tried: &Tried<'_>, due: &Due) -> Result<(), DatabaseError> {
        let Tried {
            receiver,
            attempt,
            taken,
            ..
        } = tried;
        let next = attempt.next(due.attempts + 1, due.tried_since, taken.ended_at);
        let mut tx = hold.begin().await?;
        store::note(&mut tx, due, (attempt, *taken), next).await?;
        tx.commit().await?;
        self.metrics.tried(&receiver.name, next);
        let problem = attempt.problem().unwrap_or_default();
        match next {
            Next::Delivered => {
                tracing::info!(receiver = receiver.name, notification = %due.id, "told of an alert");
            }
            Next::TryAt(_) => {
                tracing::warn!(receiver = receiver.name, notification = %due.id, problem, "a message did not arrive yet");
            }
            Next::Failed => {
                tracing::error!(receiver = receiver.name, notification = %due.id, problem, "a message will not arrive");
                self.tell_failed(tried, due).await;
            }
        }
        Ok(())
    }

    async fn tell_failed(&self, tried: &Tried<'_>, due: &Due) {
        let facts = Facts::new(Class::System, action::NOTIFICATION_FAILED, Outcome::Failure)
            .with_detail("notification", due.id.to_string())
            .with_detail("fingerprint", due.fingerprint.to_string())
            .with_detail("receiver", tried.receiver.name.as_str())
            .with_detail("attempts", due.attempts + 1)
            .with_detail("problem", tried.attempt.problem().unwrap_or_default());
        let draft = Draft::new(self.clock.now(), facts);
        if let Err(error) = self.spool.append(draft).await {
            tracing::error!(%error, notification = %due.id, "that a message failed could not be told");
        }
    }

    /// Gives up what waits for receivers that are not in the settings any more.
    async fn forget_unknown(&self, hold: &mut Hold) -> Result<(), DatabaseError> {
        let now = self.clock.now();
        for receiver in store::waited_for(self.log.database(), now.minus(UNKNOWN_FOR)).await? {
            if self.courier.find(&receiver).is_some() {
                continue;
            }
            let mut tx = hold.begin().await?;
            let count = store::give_up(&mut tx, &receiver, now).await?;
            tx.commit().await?;
            tracing::warn!(
                receiver,
                count,
                "messages wait for a receiver that the settings do not name; given up"
            );
        }
        Ok(())
    }
}
