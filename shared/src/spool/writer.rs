//! The one thread that numbers and writes: groups of appends in one transaction, then one sync for the group.

use std::fs::File;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use super::intent::{Intent, OpenIntents};
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
    intents: OpenIntents,
    /// Whether a sync of the log has failed.
    is_log_doubtful: bool,
    /// Whether somebody has removed the folder, so that what is written is in no file that could be found again.
    is_gone: bool,
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

/// What is written in one transaction, and who waits for it.
#[derive(Default)]
struct Group {
    records: Vec<Record>,
    intents: Vec<Intent>,
    /// The intents that are no more.
    ended: Vec<Uuid>,
    /// Who waits for the write.
    waiting: Vec<Done>,
    /// Who waits for the sync.
    intending: Vec<Done>,
}

impl Group {
    /// Adds an event, or answers at once if it has no number.
    fn add(&mut self, numbered: Result<Record, SpoolError>, done: Done) {
        match numbered {
            Ok(record) => {
                self.records.push(record);
                self.waiting.push(done);
            }
            Err(error) => answer(done, Err(error)),
        }
    }
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
            intents: OpenIntents::default(),
            is_log_doubtful: false,
            is_gone: false,
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
            if closes || self.is_gone {
                break;
            }
        }
        if self.is_gone {
            tracing::error!(
                folder = %self.segment.folder().display(),
                "the spool's folder was removed; what is in it is forwarded as long as this process lives, and no more is taken"
            );
        }
        if let Err(error) = self.write_bye() {
            tracing::error!(%error, "the spool could not write its last event");
        }
        // The lock must be free before the forwarder hears that the writer has ended, since it then removes the folder.
        drop(self.segment);
        drop(self.written);
    }

    fn write_group(&mut self, commands: impl Iterator<Item = Command>) {
        let before = self.state;
        let mut group = self.begin_group();
        for command in commands {
            match command {
                Command::Append {
                    event,
                    is_reserved,
                    done,
                } => {
                    let id = event.id;
                    let numbered = self.number(event, is_reserved);
                    if self.intents.is_open(id) {
                        match &numbered {
                            Ok(_) => group.ended.push(id),
                            Err(_) => self.intents.orphan(id),
                        }
                    }
                    group.add(numbered, done);
                }
                Command::Intend { done, .. } if self.is_log_doubtful => {
                    answer(done, Err(SpoolError::Failing));
                }
                Command::Intend { intent, done } => {
                    self.intents.begin(intent.id);
                    group.intents.push(intent);
                    group.intending.push(done);
                }
                Command::Heartbeat { done } => {
                    self.is_gone = !self.segment.is_in_place();
                    group.add(self.number_own(action::HEARTBEAT, false), done);
                }
                Command::Trim(seq) => self.confirmed.1 = self.confirmed.1.max(seq),
                Command::Close => {}
            }
        }
        self.finish(group, before);
    }

    /// A group that begins with what earlier ones have left.
    fn begin_group(&mut self) -> Group {
        if self.is_log_doubtful {
            self.is_log_doubtful = !self.segment.store.renew_log().unwrap_or(false);
        }
        let mut group = Group {
            ended: self.intents.withdrawn(),
            ..Group::default()
        };
        for id in self.intents.orphaned() {
            match self.number_orphan(id) {
                Ok(record) => {
                    group.records.push(record);
                    group.ended.push(id);
                }
                Err(error) => tracing::error!(%error, %id, "an intent could not be told"),
            }
        }
        group
    }

    /// The event of an intent whose outcome could not be written.
    fn number_orphan(&mut self, id: Uuid) -> Result<Record, SpoolError> {
        let intent = self.segment.store.intent(id)?.ok_or(SpoolError::Failing)?;
        self.number(intent.unknown_outcome()?, true)
    }

    /// Writes the group, answers those who wait for the write, syncs it, and answers those who wait for that.
    fn finish(&mut self, group: Group, before: State) {
        let written = self.commit(&group, before);
        let failed = |error: &Arc<rusqlite::Error>| SpoolError::Storage(Arc::clone(error));
        for done in group.waiting {
            answer(done, written.as_ref().copied().map_err(failed));
        }
        if let Err(error) = &written {
            group
                .intents
                .iter()
                .for_each(|intent| self.intents.end(intent.id));
            group.ended.iter().for_each(|id| self.intents.orphan(*id));
            for done in group.intending {
                answer(done, Err(failed(error)));
            }
            return;
        }
        group.ended.iter().for_each(|id| self.intents.end(*id));
        let is_synced = (group.records.is_empty() && group.intents.is_empty()) || self.sync();
        if !is_synced {
            group
                .intents
                .iter()
                .for_each(|intent| self.intents.withdraw(intent.id));
        }
        for done in group.intending {
            answer(
                done,
                if is_synced {
                    Ok(())
                } else {
                    Err(SpoolError::Failing)
                },
            );
        }
        self.room.note_intents(self.intents.len());
        // Only now: a number that has left must not be given again after a power loss.
        self.written.send_replace(self.state.seq);
    }

    fn commit(&mut self, group: &Group, before: State) -> Result<(), Arc<rusqlite::Error>> {
        let change = Change {
            records: &group.records,
            intents: &group.intents,
            ended: &group.ended,
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
        Ok(())
    }

    /// Gives an event its number, unless there is no room and none is held for it.
    fn number(&mut self, event: Unnumbered, is_reserved: bool) -> Result<Record, SpoolError> {
        let seq = self.state.seq + 1;
        let body = event.facts.numbered(event.id, event.time, &self.source, seq)?;
        let bytes = self.state.bytes + body.len() as u64;
        if !is_reserved && !self.room.admits(bytes) {
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

    /// Makes the group survive power loss as well, and tells whether it does. Only intents are answered by it: the events are written.
    ///
    /// After a failure the system may forget what it could not write, and later succeed with the rest. So the log is begun anew before
    /// an intent relies on it again.
    fn sync(&mut self) -> bool {
        let synced = self.log.sync_data();
        if let Err(error) = &synced {
            tracing::error!(%error, "the spool could not be synced; power loss may take its last events");
            self.is_log_doubtful = true;
        }
        synced.is_ok()
    }

    /// Writes the first or the last event, for which there is always room: a full spool must not look like a crash.
    fn write_own(&mut self, name: &str) -> Result<(), SpoolError> {
        let before = self.state;
        let (done, mut written) = oneshot::channel();
        let mut group = Group::default();
        group.add(self.number_own(name, true), done);
        self.finish(group, before);
        written.try_recv().unwrap_or(Err(SpoolError::Closed))
    }

    /// Ends the row of events: after `bye` comes nothing, so that intents are told before it.
    fn write_bye(&mut self) -> Result<(), SpoolError> {
        self.intents.orphan_all();
        self.write_group(std::iter::empty());
        if self.intents.len() > 0 {
            return Err(SpoolError::Failing);
        }
        self.write_own(action::BYE)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{SystemClock, UtcMicros};
    use crate::event::{Class, Draft, Facts, Outcome};

    fn writer(dir: &std::path::Path) -> Writer {
        let source = Source {
            service: "api-service".to_owned(),
            instance: "test".to_owned(),
            boot: Uuid::from_u128(7),
        };
        let segment = Segment::create(dir, &source).unwrap();
        let written = watch::channel(0).0;
        Writer::new(
            segment,
            &source,
            Room::new(1 << 20),
            Arc::new(SystemClock),
            written,
        )
        .unwrap()
    }

    fn draft() -> Draft {
        let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error);
        Draft::new(UtcMicros::from_seconds(1_700_000_000), facts)
    }

    fn intend(writer: &mut Writer, draft: &Draft) -> Result<(), SpoolError> {
        let (done, mut answered) = oneshot::channel();
        let intent = Intent::of(draft).unwrap();
        writer.write_group([Command::Intend { intent, done }].into_iter());
        answered.try_recv().unwrap()
    }

    fn stored(writer: &Writer) -> usize {
        writer.segment.store.intents().unwrap().0.len()
    }

    #[test]
    fn an_intent_whose_sync_fails_is_refused_and_goes_untold() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        // A device that cannot be synced.
        writer.log = File::open("/dev/null").unwrap();

        assert!(matches!(intend(&mut writer, &draft()), Err(SpoolError::Failing)));
        writer.write_group(std::iter::empty());

        assert_eq!(stored(&writer), 0);
        assert_eq!(writer.state.seq, 1, "only `boot` has a number");
    }

    #[test]
    fn intents_are_taken_again_once_the_log_was_begun_anew() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        let log = std::mem::replace(&mut writer.log, File::open("/dev/null").unwrap());
        intend(&mut writer, &draft()).unwrap_err();

        writer.log = log;
        intend(&mut writer, &draft()).unwrap();

        assert!(!writer.is_log_doubtful);
        assert_eq!(stored(&writer), 1);
    }

    #[test]
    fn an_outcome_that_is_refused_leaves_the_intent_to_be_told() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        writer.room = Room::new(0);
        let intended = draft();
        intend(&mut writer, &intended).unwrap();

        let (done, mut answered) = oneshot::channel();
        let event = Unnumbered::of(&intended).unwrap();
        let append = Command::Append {
            event,
            is_reserved: false,
            done,
        };
        writer.write_group([append].into_iter());
        assert!(matches!(answered.try_recv(), Ok(Err(SpoolError::Full))));
        writer.write_group(std::iter::empty());

        assert_eq!(stored(&writer), 0);
        assert_eq!(writer.state.seq, 2);
    }

    #[test]
    fn a_folder_that_was_removed_is_noticed_with_the_next_heartbeat() {
        for remove in [
            |folder: &std::path::Path| std::fs::remove_dir_all(folder).unwrap(),
            // As a new one in its place is, which somebody has put back.
            |folder: &std::path::Path| {
                std::fs::remove_file(folder.join("lock")).unwrap();
                File::create(folder.join("lock")).unwrap();
            },
        ] {
            let dir = tempfile::tempdir().unwrap();
            let mut writer = writer(dir.path());
            let beat = |writer: &mut Writer| {
                let (done, mut answered) = oneshot::channel();
                writer.write_group([Command::Heartbeat { done }].into_iter());
                answered.try_recv().unwrap().unwrap();
            };
            beat(&mut writer);
            assert!(!writer.is_gone);

            remove(writer.segment.folder());
            beat(&mut writer);

            assert!(writer.is_gone);
        }
    }

    #[test]
    fn nothing_follows_bye() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = writer(dir.path());
        intend(&mut writer, &draft()).unwrap();

        writer.write_bye().unwrap();

        let events = writer.segment.store.read_after(0, 10).unwrap();
        let keys: Vec<_> = events.iter().map(|event| event.routing_key.as_str()).collect();
        let expected = [
            "system.boot.success",
            "access.api_request.error",
            "system.bye.success",
        ];
        assert_eq!(keys, expected);
    }
}
