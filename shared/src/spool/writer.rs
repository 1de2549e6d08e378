//! The one thread that numbers and writes: groups of appends in one transaction, then one sync for the group.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use super::record::Record;
use super::room::Room;
use super::running_hash::{RunningHash, own_draft};
use super::segment::Segment;
use super::store::Change;
use super::{Command, SpoolError, Unnumbered};
use crate::clock::SharedClock;
use crate::event::{Source, action};

/// Appends in one transaction at most: enough to share a sync, few enough not to delay the first of them.
const GROUP_MAX: usize = 512;

pub(super) struct Writer {
    segment: Segment,
    log: File,
    /// Who writes, as it stands in every event.
    source: String,
    clock: SharedClock,
    room: Arc<Room>,
    written: watch::Sender<u64>,
    state: State,
    /// Up to which number what was confirmed is gone, and up to which it may go.
    confirmed: (u64, u64),
}

/// What a failed group takes back.
#[derive(Clone, Copy)]
struct State {
    seq: u64,
    bytes: u64,
    running_hash: RunningHash,
}

type Done = oneshot::Sender<Result<(), SpoolError>>;

impl Writer {
    /// A writer whose first event is `boot`.
    pub(super) fn new(
        segment: Segment,
        source: &Source,
        room: Arc<Room>,
        clock: SharedClock,
        written: watch::Sender<u64>,
    ) -> Result<Self, SpoolError> {
        let state = State {
            seq: 0,
            bytes: 0,
            running_hash: RunningHash::default(),
        };
        let log = segment.write_ahead_log()?;
        let mut writer = Self {
            segment,
            log,
            source: source.to_string(),
            clock,
            room,
            written,
            state,
            confirmed: (0, 0),
        };
        writer.write_own(action::BOOT)?;
        Ok(writer)
    }

    /// Runs until it is told to close or every [`super::Spool`] is gone.
    pub(super) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut group = Vec::with_capacity(GROUP_MAX);
        while commands.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
            let closes = group.iter().any(|command| matches!(command, Command::Close));
            self.write_group(group.drain(..));
            if closes {
                break;
            }
        }
        if let Err(error) = self.write_own(action::BYE) {
            tracing::error!(%error, "the spool could not write its last event");
        }
        // The lock must be free before the forwarder hears that the writer has ended, since it then removes the folder.
        drop(self.segment);
        drop(self.written);
    }

    fn write_group(&mut self, group: impl Iterator<Item = Command>) {
        let before = self.state;
        let mut records = Vec::new();
        let mut waiting = Vec::new();
        for command in group {
            let (numbered, done) = match command {
                Command::Append {
                    event,
                    is_reserved,
                    done,
                } => (self.number(event, is_reserved), done),
                Command::Heartbeat { done } => (self.number_own(action::HEARTBEAT, false), done),
                Command::Trim(seq) => {
                    self.confirmed.1 = self.confirmed.1.max(seq);
                    continue;
                }
                Command::Close => continue,
            };
            match numbered {
                Ok(record) => {
                    records.push(record);
                    waiting.push(done);
                }
                Err(error) => answer(done, Err(error)),
            }
        }
        let written = self.commit(&records, before);
        for done in waiting {
            answer(
                done,
                written
                    .as_ref()
                    .copied()
                    .map_err(|error| SpoolError::Storage(error.clone())),
            );
        }
        if written.is_ok() && !records.is_empty() {
            self.sync();
        }
    }

    fn commit(&mut self, records: &[Record], before: State) -> Result<(), Arc<rusqlite::Error>> {
        let change = Change {
            records,
            confirmed: self.confirmed,
        };
        let freed = match self.segment.store.write(&change) {
            Ok(freed) => freed,
            Err(error) => {
                self.state = before;
                if self.room.note(None) {
                    tracing::error!(%error, "the spool cannot be written");
                } else {
                    tracing::debug!(%error, "the spool still cannot be written");
                }
                return Err(error.into());
            }
        };
        self.confirmed.0 = self.confirmed.1;
        self.state.bytes = self.state.bytes.saturating_sub(freed);
        self.room.note(Some(self.state.bytes));
        self.written.send_replace(self.state.seq);
        Ok(())
    }

    /// Gives an event its number, unless there is no room and none is held for it.
    fn number(&mut self, event: Unnumbered, is_reserved: bool) -> Result<Record, SpoolError> {
        let seq = self.state.seq + 1;
        let body = event.facts.numbered(event.id, event.time, &self.source, seq)?;
        let bytes = self.state.bytes + body.len() as u64;
        if !is_reserved && bytes > self.room.bytes_max() {
            return Err(SpoolError::Full);
        }
        self.state = State {
            seq,
            bytes,
            running_hash: self.state.running_hash.after(&body),
        };
        Ok(Record {
            seq,
            routing_key: event.routing_key,
            body,
            running_hash: self.state.running_hash,
        })
    }

    /// Makes the group survive power loss as well. A failure is told but not answered: the events are written.
    fn sync(&self) {
        if let Err(error) = self.log.sync_data() {
            tracing::error!(%error, "the spool could not be synced; power loss may take its last events");
        }
    }

    /// Writes the first or the last event, for which there is always room: a full spool must not look like a crash.
    fn write_own(&mut self, name: &str) -> Result<(), SpoolError> {
        let before = self.state;
        let record = self.number_own(name, true)?;
        self.commit(&[record], before).map_err(SpoolError::Storage)?;
        self.sync();
        Ok(())
    }

    fn number_own(&mut self, name: &str, is_reserved: bool) -> Result<Record, SpoolError> {
        let State {
            seq, running_hash, ..
        } = self.state;
        let draft = own_draft(name, seq, running_hash, self.clock.now());
        self.number(Unnumbered::of(&draft)?, is_reserved)
    }
}

fn answer(done: Done, result: Result<(), SpoolError>) {
    // Whoever asked may have gone; the event is written all the same.
    drop(done.send(result));
}
