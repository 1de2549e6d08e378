//! The crash-safe spool: events are numbered and written here before an answer leaves, and leave on their confirm.
//!
//! Every boot owns one subfolder with a lock and a database. A written event survives `kill -9`; a group `fsync`
//! follows each write, so that power loss may take the last group. Other processes adopt the folder of a boot that is
//! gone and drain it under its own source and numbers.

mod adopt;
mod damage;
mod folder;
mod forwarder;
pub mod inspect;
mod intent;
mod left;
pub mod metrics;
mod record;
mod room;
mod running_hash;
mod segment;
mod store;
mod tell;
mod write_ahead_log;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::clock::{SharedClock, UtcMicros};
use crate::event::wire::{EncodeError, WrittenFacts};
use crate::event::{Draft, Source};
use crate::runtime::instance::InstanceName;
use crate::runtime::shutdown::CancellationToken;
use crate::transport::{Transport, Window};
pub use room::Reservation;
use room::Room;
pub use running_hash::{EventDigest, InvalidRunningHash, RunningHash, event_digest, own_draft};
use segment::Segment;

/// Appends that may wait for the writer; more callers wait before they hand over.
const WAITING_MAX: usize = 8 * 1024;

/// How often a source says that it is alive (DESIGN §4).
const HEARTBEAT: Duration = Duration::from_secs(10);

/// How long the end may wait for the last confirms; what is left is adopted by the next process.
const DRAIN_MAX: Duration = Duration::from_secs(10);

/// Where a spool is, for whom, and how large it may grow.
#[derive(Clone, Debug)]
pub struct SpoolSettings {
    /// The folder; may be shared by replicas on one machine, but must be a local file system.
    pub dir: PathBuf,
    /// The service that writes.
    pub service: &'static str,
    /// The instance that writes.
    pub instance: InstanceName,
    /// Bytes of events at most, with what boots that are gone have left; more are refused.
    pub bytes_max: u64,
}

/// Why an event could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    /// It holds as much as it may.
    #[error("the spool is full")]
    Full,
    /// The event is larger than one may be, or cannot be written as JSON.
    #[error("the event cannot be written: {0}")]
    Unwritable(#[from] EncodeError),
    /// The folder or the database in it fails.
    #[error("the spool cannot be written: {0}")]
    Storage(Arc<rusqlite::Error>),
    /// The folder cannot be made or locked.
    #[error("the spool's folder cannot be used: {0}")]
    Folder(#[from] std::io::Error),
    /// The last write failed, and none has succeeded since.
    #[error("the spool cannot be written at the moment")]
    Failing,
    /// The spool was closed.
    #[error("the spool is closed")]
    Closed,
}

impl From<rusqlite::Error> for SpoolError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Storage(Arc::new(error))
    }
}

/// The spool of this boot. Clones share it.
#[derive(Clone, Debug)]
pub struct Spool {
    commands: mpsc::Sender<Command>,
    room: Arc<Room>,
    source: Source,
    clock: SharedClock,
    broker_blocked: watch::Receiver<bool>,
}

/// What the writer is asked for.
#[derive(Debug)]
enum Command {
    Append {
        event: Unnumbered,
        /// Whether room is held for it.
        is_reserved: bool,
        done: oneshot::Sender<Result<(), SpoolError>>,
    },
    Intend {
        intent: intent::Intent,
        done: oneshot::Sender<Result<(), SpoolError>>,
    },
    Heartbeat {
        done: oneshot::Sender<Result<(), SpoolError>>,
    },
    /// Everything up to this number is confirmed.
    Trim(u64),
    /// Writes `bye` and ends the writer.
    Close,
}

/// An event that lacks nothing but its number, written where there are many hands rather than by the one writer.
#[derive(Debug)]
struct Unnumbered {
    id: Uuid,
    time: UtcMicros,
    routing_key: String,
    facts: WrittenFacts,
}

impl Unnumbered {
    fn of(draft: &Draft) -> Result<Self, EncodeError> {
        Ok(Self {
            id: draft.id,
            time: draft.time,
            routing_key: draft.facts.routing_key(),
            facts: WrittenFacts::of(&draft.facts)?,
        })
    }
}

/// The tasks behind a spool, to be ended in order.
#[derive(Debug)]
pub struct SpoolTasks {
    spool: Spool,
    forwarder: tokio::task::JoinHandle<()>,
    heartbeat: tokio::task::JoinHandle<()>,
    stop: CancellationToken,
}

/// Opens the spool of a new boot, writes its `boot` event and starts to forward it over `transport`.
///
/// Adopts folders of boots that are gone, at once and again from time to time.
pub fn open(
    settings: &SpoolSettings,
    transport: &Transport,
    clock: SharedClock,
) -> Result<(Spool, SpoolTasks), SpoolError> {
    let source = Source {
        service: settings.service.to_owned(),
        instance: settings.instance.as_str().to_owned(),
        boot: Uuid::new_v4(),
    };
    let segment = Segment::create(&settings.dir, &source)?;
    let (commands, received) = mpsc::channel(WAITING_MAX);
    let (written, writes) = watch::channel(0);
    let room = Room::new(settings.bytes_max);
    let adopter = adopt::Adopter {
        dir: settings.dir.clone(),
        service: settings.service,
        teller: tell::Teller::new(&commands, Arc::clone(&clock)),
        left: left::Left::in_folder(&settings.dir, settings.service, Arc::clone(&room)),
    };
    let folder = segment.folder().to_owned();
    let writer = writer::Writer::new(segment, &source, Arc::clone(&room), Arc::clone(&clock), written)?;
    let own = forwarder::OwnSegment {
        boot: source.boot,
        reader: store::Store::open_and_read(&folder)?,
        folder,
        writes,
        commands: commands.clone(),
    };
    std::thread::Builder::new()
        .name("spool".into())
        .spawn(move || writer.run(received))?;
    let stop = CancellationToken::new();
    let window = Window::new(transport, settings.service, "spool", Some(settings.dir.clone()));
    let broker_blocked = window.watch_blocked();
    let forwarder = tokio::spawn(forwarder::run(own, adopter, window, stop.clone()));
    let spool = Spool {
        commands,
        room,
        source,
        clock,
        broker_blocked,
    };
    let heartbeat = tokio::spawn(beat(spool.clone()));
    Ok((
        spool.clone(),
        SpoolTasks {
            spool,
            forwarder,
            heartbeat,
            stop,
        },
    ))
}

impl Spool {
    /// Numbers an event and writes it; when this returns, it survives the death of the process.
    ///
    /// Dropping the future before the writer has room to be told leaves nothing; after that the event is written.
    pub async fn append(&self, draft: Draft) -> Result<(), SpoolError> {
        self.hand_over(&draft, None).await?.written().await
    }

    /// Holds room for the events of something that cannot be undone once it has happened.
    pub fn reserve(&self) -> Result<Reservation, SpoolError> {
        self.room.reserve()
    }

    /// Hands an event over to the writer, which writes it whether or not it is waited for. With room held for it, it is
    /// never refused for want of room.
    pub async fn hand_over(
        &self,
        draft: &Draft,
        held: Option<&Reservation>,
    ) -> Result<HandedOver, SpoolError> {
        hand_over(&self.commands, draft, held.is_some()).await
    }

    /// Writes what is told if no event with the id of `draft` is appended before this process ends. When this returns, it survives power
    /// loss as well; many that come together share one sync.
    ///
    /// An event that is refused or fails leaves its intent, which is told once the disk takes it.
    pub async fn intend(&self, draft: &Draft) -> Result<(), SpoolError> {
        let (done, written) = oneshot::channel();
        let intent = intent::Intent::of(draft)?;
        self.commands
            .send(Command::Intend { intent, done })
            .await
            .map_err(|_| SpoolError::Closed)?;
        HandedOver(written).written().await
    }

    /// Appends an event about what is missing, for which there is always room.
    pub async fn append_always(&self, draft: &Draft) -> Result<(), SpoolError> {
        let handed_over = hand_over(&self.commands, draft, true).await?;
        handed_over.written().await
    }

    /// Who its events come from.
    pub const fn source(&self) -> &Source {
        &self.source
    }

    /// The clock that its events are dated by.
    pub const fn clock(&self) -> &SharedClock {
        &self.clock
    }
}

/// Hands an event over to the writer.
async fn hand_over(
    commands: &mpsc::Sender<Command>,
    draft: &Draft,
    is_reserved: bool,
) -> Result<HandedOver, SpoolError> {
    let (done, written) = oneshot::channel();
    let command = Command::Append {
        event: Unnumbered::of(draft)?,
        is_reserved,
        done,
    };
    commands.send(command).await.map_err(|_| SpoolError::Closed)?;
    Ok(HandedOver(written))
}

/// An event on its way to the disk.
#[derive(Debug)]
pub struct HandedOver(oneshot::Receiver<Result<(), SpoolError>>);

impl HandedOver {
    /// Waits until it survives the death of the process.
    pub async fn written(self) -> Result<(), SpoolError> {
        self.0.await.map_err(|_| SpoolError::Closed)?
    }
}

impl SpoolTasks {
    /// Ends when a task has ended by itself, after which nothing would be written or forwarded any more. A writer that
    /// died is noticed by its next heartbeat.
    pub async fn ended(&mut self) {
        tokio::select! {
            _ = &mut self.forwarder => {}
            _ = &mut self.heartbeat => {}
        }
    }

    /// Writes `bye`, waits for the last confirms within a bound, and ends the tasks.
    pub async fn close(self) {
        self.heartbeat.abort();
        if self.spool.commands.send(Command::Close).await.is_err() {
            tracing::error!("the spool's writer ended before it was told to");
        }
        drop(self.spool);
        let mut forwarder = self.forwarder;
        if forwarder.is_finished() {
            return;
        }
        if tokio::time::timeout(DRAIN_MAX, &mut forwarder).await.is_err() {
            tracing::warn!("events are left in the spool; the next start forwards them");
            self.stop.cancel();
            drop(forwarder.await);
        }
    }
}

async fn beat(spool: Spool) {
    let mut ticks = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        ticks.tick().await;
        let (done, written) = oneshot::channel();
        if spool.commands.send(Command::Heartbeat { done }).await.is_err() {
            return;
        }
        if let Ok(Err(error)) = written.await {
            tracing::warn!(%error, "the heartbeat could not be written");
        }
    }
}
