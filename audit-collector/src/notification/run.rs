//! The loop that sends messages, which every collector runs and one at a time leads.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use shared::clock::SharedClock;
use shared::database::{DatabaseError, Hold, Task};
use shared::event::{Class, Draft, Facts, Outcome, action};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::attempt::{Attempt, Next};
use super::courier::Courier;
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

/// A try that was made.
struct Tried<'n> {
    receiver: &'n Receiver,
    due: Due,
    attempt: Attempt,
    taken: Taken,
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
        // One message at a time for each receiver, so that one that is slow delays nobody else.
        let mut busy = BTreeSet::new();
        while !lead.stop.is_cancelled() {
            for receiver in self.courier.receivers.iter() {
                if busy.contains(&receiver.name) {
                    continue;
                }
                let due = store::due(self.log.database(), &receiver.name, self.clock.now()).await?;
                if let Some(due) = due {
                    busy.insert(&receiver.name);
                    under_way.push(self.attempt(receiver, due));
                }
            }
            tokio::select! {
                () = lead.stop.cancelled() => {}
                Some(tried) = under_way.next() => {
                    let tried = tried?;
                    busy.remove(&tried.receiver.name);
                    self.note(&mut lead.hold, &tried).await?;
                }
                () = self.queued.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            lead.hold.keep().await?;
        }
        // Only sending is cut off: a `BEGIN` that is cut off on SQLite would block the writer.
        let end = Instant::now() + END_WITHIN;
        while let Ok(Some(tried)) = timeout_at(end, under_way.next()).await {
            self.note(&mut lead.hold, &tried?).await?;
        }
        Ok(())
    }

    async fn attempt<'n>(&'n self, receiver: &'n Receiver, due: Due) -> Result<Tried<'n>, DatabaseError> {
        let alert = alert::read(self.log.database(), due.fingerprint).await?;
        let begun_at = self.clock.now();
        let attempt = match alert {
            Some(alert) => {
                let notice = Notice {
                    id: due.id,
                    kind: due.kind,
                    made_at: due.made_at,
                    link: link_to(&self.courier.public_url, &alert.fingerprint),
                    alert,
                };
                self.courier.carry(receiver, &notice).await
            }
            // Retention took it, and the message with it.
            None => Attempt::without_alert(),
        };
        let taken = Taken {
            begun_at,
            ended_at: self.clock.now(),
        };
        Ok(Tried {
            receiver,
            due,
            attempt,
            taken,
        })
    }

    async fn note(&self, hold: &mut Hold, tried: &Tried<'_>) -> Result<(), DatabaseError> {
        let Tried {
            receiver,
            due,
            attempt,
            taken,
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
                self.tell_failed(tried).await;
            }
        }
        Ok(())
    }

    async fn tell_failed(&self, tried: &Tried<'_>) {
        let facts = Facts::new(Class::System, action::NOTIFICATION_FAILED, Outcome::Failure)
            .with_detail("notification", tried.due.id.to_string())
            .with_detail("fingerprint", tried.due.fingerprint.to_string())
            .with_detail("receiver", tried.receiver.name.as_str())
            .with_detail("attempts", tried.due.attempts + 1)
            .with_detail("problem", tried.attempt.problem().unwrap_or_default());
        let draft = Draft::new(self.clock.now(), facts);
        if let Err(error) = self.spool.append(draft).await {
            tracing::error!(%error, notification = %tried.due.id, "that a message failed could not be told");
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
