//! Serves one receiver, which every collector runs and one at a time leads.

use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use serde_json::json;
use shared::clock::SharedClock;
use shared::database::{DatabaseError, Task};
use shared::event::{Class, Draft, Facts, Outcome, action, bounded};
use shared::http::client::PooledClient;
use shared::runtime::Backoff;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{Spool, SpoolError};

use super::store::{self, Standing};
use super::tcp::Connection;
use super::{Receiver, syslog};
use crate::event_log::{EventLog, Positioned};
use crate::leading::{self, Lead, Leader};
use crate::search::EventBody;
use crate::webhook::{self, WebhookError};

/// Events that are read, and at most sent, at a time.
const STEP_MAX: usize = 200;

/// How often the place in the log is noted while nothing is to be sent, so that its connection does not lie idle for longer.
const NOTE_EVERY: Duration = Duration::from_secs(10);

/// After how many failures in a row it is told that a receiver takes nothing: a restart is no event.
const FAILURES_TOLD: u32 = 3;

/// The longest error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 300;

/// What serving receivers needs.
#[derive(Clone)]
pub struct Forwarding {
    /// The log.
    pub log: EventLog,
    /// Where it is told that a receiver takes nothing.
    pub spool: Spool,
    /// The clock.
    pub clock: SharedClock,
    /// What webhooks are sent with.
    pub client: PooledClient,
    /// Whom connections of syslog trust.
    pub tls: Arc<ClientConfig>,
}

/// Why serving stopped; it is begun again from what was noted.
#[derive(Debug, thiserror::Error)]
enum ForwardError {
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error("it cannot be told: {0}")]
    Untold(#[from] SpoolError),
}

/// Why a receiver has not taken events.
#[derive(Debug, thiserror::Error)]
enum Untaken {
    #[error("the connection failed: {0}")]
    Connection(#[from] std::io::Error),
    #[error(transparent)]
    Webhook(#[from] WebhookError),
}

/// Serves a receiver, or waits to, until `stop`.
pub async fn run(forwarding: Forwarding, receiver: Receiver, stop: CancellationToken) {
    let database = forwarding.log.database().clone();
    leading::run(Serving { forwarding, receiver }, database, stop).await;
}

/// One that serves a receiver.
struct Serving {
    forwarding: Forwarding,
    receiver: Receiver,
}

impl Leader for Serving {
    type Error = ForwardError;

    fn task(&self) -> Task {
        // The numbers are "gatelog" in ASCII, and 7 and 8.
        let lock = match self.receiver {
            Receiver::Syslog(..) => 0x6761_7465_6c6f_6707,
            Receiver::Webhook(..) => 0x6761_7465_6c6f_6708,
        };
        Task {
            lock,
            frozen_after: Some("2min"),
        }
    }

    fn failure(&self) -> &'static str {
        match self.receiver {
            Receiver::Syslog(..) => "events cannot be forwarded by syslog",
            Receiver::Webhook(..) => "events cannot be forwarded by the webhook",
        }
    }

    async fn lead(&mut self, lead: &mut Lead) -> Result<(), ForwardError> {
        serve(&self.forwarding, &self.receiver, lead).await
    }
}

/// A receiver that is served.
struct Served<'f> {
    forwarding: &'f Forwarding,
    receiver: &'f Receiver,
    lead: &'f mut Lead,
    standing: Standing,
    connection: Option<Connection>,
    failures: u32,
}

/// Returns when it is told to stop. Only waits and sends are cut off then: a `BEGIN` that is cut off on SQLite would block the writer.
async fn serve(forwarding: &Forwarding, receiver: &Receiver, lead: &mut Lead) -> Result<(), ForwardError> {
    let stop = lead.stop.clone();
    let mut growth = forwarding.log.growth();
    let mut served = Served::begin(forwarding, receiver, lead).await?;
    let mut noted = tokio::time::Instant::now();
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        let from = served.standing.position.cast_unsigned();
        let mut events = forwarding.log.read_positions(from, STEP_MAX).await?;
        served.lead.is_well();
        if let Some(until) = served.offered_until() {
            events.retain(|event| event.position < until);
            if events.is_empty() {
                // Retention has removed them.
                served.advance(until, 0).await?;
                continue;
            }
        }
        let Some(last) = events.last().map(|event| event.position) else {
            if noted.elapsed() > NOTE_EVERY {
                served.advance(from, 0).await?;
                noted = tokio::time::Instant::now();
            }
            served.lead.wait(growth.awaited()).await?;
            continue;
        };
        let wanted: Vec<_> = events
            .into_iter()
            .filter(|event| is_wanted(receiver, event))
            .collect();
        if !wanted.is_empty() {
            served.offer(last + 1).await?;
        }
        let sent = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            sent = served.send(&wanted) => sent,
        };
        match sent {
            Ok(()) => {
                served.advance(last + 1, wanted.len()).await?;
                served.tell_resumed(wanted.len()).await?;
                noted = tokio::time::Instant::now();
                backoff.reset();
            }
            Err(error) => {
                served.fail(&error).await?;
                served.lead.wait(backoff.wait()).await?;
            }
        }
    }
    Ok(())
}

/// Whether a receiver is told of an event. Bytes that are none any more are told to all: somebody changed the database.
fn is_wanted(receiver: &Receiver, one: &Positioned) -> bool {
    one.event
        .as_ref()
        .is_none_or(|event| receiver.filter().matches(event, one.locality, one.recorded_at))
}

impl<'f> Served<'f> {
    async fn begin(
        forwarding: &'f Forwarding,
        receiver: &'f Receiver,
        lead: &'f mut Lead,
    ) -> Result<Self, ForwardError> {
        let mut tx = lead.hold.begin().await?;
        let standing = store::begin(&mut tx, receiver.name()).await?;
        tx.commit().await?;
        Ok(Self {
            forwarding,
            receiver,
            lead,
            standing,
            connection: None,
            failures: 0,
        })
    }

    async fn send(&mut self, events: &[Positioned]) -> Result<(), Untaken> {
        let (Some(first), Some(last)) = (events.first(), events.last()) else {
            return Ok(());
        };
        match self.receiver {
            Receiver::Syslog(target, _) => {
                let mut connection = match self.connection.take() {
                    Some(connection) => connection,
                    None => Connection::open(target, &self.forwarding.tls).await?,
                };
                let frames: Vec<u8> = events.iter().flat_map(syslog::frame).collect();
                // Kept for the next events only if these were taken.
                connection.send(&frames).await?;
                self.connection = Some(connection);
            }
            Receiver::Webhook(target, _) => {
                let id = format!("events_{}_{}", first.position, last.position);
                let now = self.forwarding.clock.now();
                let bodies: Vec<_> = events.iter().map(EventBody::of).collect();
                let body = json!({"type": "gatelog.events", "timestamp": now, "data": {"events": bodies}});
                let body = body.to_string().into_bytes();
                webhook::send(
                    &self.forwarding.client,
                    &target.address,
                    &target.secret,
                    (&id, now),
                    body,
                )
                .await?;
            }
        }
        Ok(())
    }

    /// Where the events end that were being sent when they were not taken, by whoever served the receiver then.
    fn offered_until(&self) -> Option<u64> {
        let until = self.standing.offered_until?;
        (until > self.standing.position).then_some(until.cast_unsigned())
    }

    /// Notes which events are about to be sent where they are known by their bounds: they get the same id again, whatever comes meanwhile.
    async fn offer(&mut self, until: u64) -> Result<(), ForwardError> {
        if matches!(self.receiver, Receiver::Syslog(..)) || self.offered_until().is_some() {
            return Ok(());
        }
        let mut tx = self.lead.hold.begin().await?;
        store::offer(&mut tx, self.receiver.name(), until).await?;
        tx.commit().await?;
        self.standing.offered_until = Some(until.cast_signed());
        Ok(())
    }

    async fn advance(&mut self, position: u64, sent: usize) -> Result<(), ForwardError> {
        let now = self.forwarding.clock.now();
        let mut tx = self.lead.hold.begin().await?;
        store::advance(&mut tx, self.receiver.name(), (position, sent), now).await?;
        tx.commit().await?;
        self.standing.position = position.cast_signed();
        self.standing.offered_until = None;
        Ok(())
    }

    async fn fail(&mut self, error: &Untaken) -> Result<(), ForwardError> {
        let text = bounded(&error.to_string(), ERROR_BYTES_MAX);
        tracing::warn!(
            error = text,
            receiver = self.receiver.name(),
            "a receiver of events takes none"
        );
        let now = self.forwarding.clock.now();
        let mut tx = self.lead.hold.begin().await?;
        store::note_failure(&mut tx, self.receiver.name(), &text, now).await?;
        tx.commit().await?;
        self.failures = self.failures.saturating_add(1);
        if self.failures == FAILURES_TOLD {
            self.tell(action::FORWARDING_STALLED, Outcome::Failure, &text)
                .await?;
        }
        Ok(())
    }

    async fn tell_resumed(&mut self, sent: usize) -> Result<(), ForwardError> {
        if sent == 0 {
            return Ok(());
        }
        if self.failures >= FAILURES_TOLD {
            self.tell(action::FORWARDING_RESUMED, Outcome::Success, "")
                .await?;
        }
        self.failures = 0;
        Ok(())
    }

    async fn tell(&self, name: &str, outcome: Outcome, error: &str) -> Result<(), ForwardError> {
        let mut facts = Facts::new(Class::System, name, outcome)
            .with_detail("receiver", self.receiver.name())
            .with_detail("position", self.standing.position);
        if !error.is_empty() {
            facts = facts.with_detail("error", error);
        }
        let draft = Draft::new(self.forwarding.clock.now(), facts);
        self.forwarding.spool.append(draft).await?;
        Ok(())
    }
}
