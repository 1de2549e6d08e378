//! What was confirmed, on the disk: for who comes after a producer that has ended, however it ended.
//!
//! A line for each event: its CRC-32, and the event as it is on the wire. The files are written and never synced, so that they survive the
//! process and not the loss of power. Each is locked for as long as its writer lives; what nobody holds is read, and removed once the
//! collector does not ask for it any more.

use std::collections::HashMap;
use std::fs::{DirBuilder, File};
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::Lacking;
use crate::event::wire;
use crate::transport::Message;

/// Bytes of a file, beside the last batch. A producer has two of them: one that it writes, and the one before.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// How long after it was confirmed an event is of use: the collector asks for ten minutes.
pub(super) const USEFUL_FOR: Duration = Duration::from_mins(15);

/// Files that are read for one word at most. Who is started again and again leaves many.
const READ_MAX: usize = 64;

/// What ends the name of a file, and what one that is not locked yet.
const MADE: &str = "confirmed";
const MAKING: &str = "confirming";

/// An event of a boot, by its number.
pub(super) type Event = (Uuid, u64, Message);

/// The files of a producer in a folder, which others of the same service may share.
#[derive(Debug)]
pub(super) struct Files {
    dir: PathBuf,
    service: &'static str,
    /// The one that is written, and the one before.
    own: Option<Own>,
    before: Option<Own>,
    is_failing: bool,
    /// The last event of each boot in files whose writer has ended, which do not change any more.
    last_of_left: HashMap<PathBuf, Vec<Event>>,
}

/// A file that this process holds.
#[derive(Debug)]
struct Own {
    path: PathBuf,
    /// The lock is released when it is closed.
    file: File,
    bytes: u64,
}

impl Own {
    /// The file has its name only once it is locked, so that nobody takes it for left.
    fn create(dir: &Path, service: &str) -> io::Result<Self> {
        // What is in it names people and addresses.
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        let path = dir.join(format!("{service}.{}.{MADE}", Uuid::new_v4()));
        let making = path.with_extension(MAKING);
        let file = File::options()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&making)?;
        file.try_lock()?;
        std::fs::rename(&making, &path)?;
        Ok(Self { path, file, bytes: 0 })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        self.file.write_all(lines)?;
        self.bytes += lines.len() as u64;
        Ok(())
    }

    fn remove(self) {
        // One that cannot be removed is removed when it is old.
        drop(std::fs::remove_file(self.path));
    }
}

impl Files {
    /// Nothing is made before the first event.
    pub(super) fn new(dir: PathBuf, service: &'static str) -> Self {
        Self {
            dir,
            service,
            own: None,
            before: None,
            is_failing: false,
            last_of_left: HashMap::new(),
        }
    }

    /// Adds events that were confirmed. Where the disk takes nothing, the room that the files have is given back to who needs it more.
    pub(super) fn append(&mut self, events: &[Bytes]) {
        match self.try_append(events) {
            Ok(()) => self.is_failing = false,
            Err(error) => {
                let own = [self.own.take(), self.before.take()];
                own.into_iter().flatten().for_each(Own::remove);
                if !std::mem::replace(&mut self.is_failing, true) {
                    let dir = self.dir.display();
                    tracing::warn!(%error, %dir, "what the broker confirms is kept in memory alone");
                }
            }
        }
    }

    fn try_append(&mut self, events: &[Bytes]) -> io::Result<()> {
        if self.own.as_ref().is_none_or(|own| own.bytes >= FILE_BYTES_MAX) {
            if let Some(oldest) = std::mem::replace(&mut self.before, self.own.take()) {
                oldest.remove();
            }
            self.remove_useless();
        }
        let own = match &mut self.own {
            Some(own) => own,
            None => self.own.insert(Own::create(&self.dir, self.service)?),
        };
        let mut lines = Vec::with_capacity(events.iter().map(|event| event.len() + 10).sum());
        for event in events {
            write!(lines, "{:08x} ", crc32fast::hash(event))?;
            lines.extend_from_slice(event);
            lines.push(b'\n');
        }
        own.write(&lines)
    }

    /// The events that are lacking in files whose writer has ended, each as often as it is there.
    pub(super) fn lacking_in_left(&self, lacking: &Lacking) -> Vec<Event> {
        self.remove_useless();
        let mut found = Vec::new();
        for (path, file) in self.left().take(READ_MAX) {
            let is_lacking = |(boot, seq, _): &Event| lacking.names(*boot, *seq);
            found.extend(self.read(&path, &file).filter(is_lacking));
        }
        found
    }

    /// The last event of each boot in files whose writer has ended, as often as there are files.
    pub(super) fn last_of_left(&mut self) -> Vec<Event> {
        self.remove_useless();
        let mut known = std::mem::take(&mut self.last_of_left);
        let left = self.left().take(READ_MAX).map(|(path, file)| {
            let last = known
                .remove(&path)
                .unwrap_or_else(|| last_of_each(self.read(&path, &file)));
            (path, last)
        });
        self.last_of_left = left.collect();
        self.last_of_left.values().flatten().cloned().collect()
    }

    /// What of a file is as it was written.
    fn read(&self, path: &Path, file: &File) -> impl Iterator<Item = Event> {
        let lines = BufReader::new(file).split(b'\n').map_while(Result::ok);
        lines.filter_map(|line| {
            let event = self.parse(&line);
            if event.is_none() {
                // Of who was killed the last may be torn.
                tracing::debug!(path = %path.display(), "a line of what an earlier boot had confirmed cannot be read");
            }
            event
        })
    }

    fn parse(&self, line: &[u8]) -> Option<Event> {
        let (checksum, body) = line.split_at_checked(9)?;
        let checksum = u32::from_str_radix(str::from_utf8(checksum).ok()?.trim_end(), 16).ok()?;
        let event = wire::decode(body)
            .ok()
            .filter(|_| checksum == crc32fast::hash(body))?;
        // The broker vouches for the sender, so that another's event would be refused.
        (event.source.service == self.service).then(|| {
            let message = Message {
                routing_key: event.routing_key(),
                body: body.to_vec().into(),
            };
            (event.source.boot, event.seq, message)
        })
    }

    /// Removes what nobody holds and nobody will ask for.
    fn remove_useless(&self) {
        let age = |path: &Path| {
            std::fs::metadata(path)?
                .modified()?
                .elapsed()
                .map_err(io::Error::other)
        };
        let is_useless = |path: &PathBuf| age(path).is_ok_and(|age| age > USEFUL_FOR);
        for path in self
            .paths()
            .filter(is_useless)
            .filter(|path| unheld(path).is_some())
        {
            drop(std::fs::remove_file(path));
        }
    }

    /// The files whose writer has ended, locked for as long as they are looked at.
    fn left(&self) -> impl Iterator<Item = (PathBuf, File)> {
        let is_made = |path: &PathBuf| path.extension().is_some_and(|extension| extension == MADE);
        self.paths()
            .filter(is_made)
            .filter_map(|path| unheld(&path).map(|file| (path, file)))
    }

    /// All files of the service.
    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.path())
            .filter(|path| self.is_ours(path))
    }

    fn is_ours(&self, path: &Path) -> bool {
        let parse = || {
            let rest = path.file_name()?.to_str()?.strip_prefix(self.service)?;
            let (id, extension) = rest.strip_prefix('.')?.split_once('.')?;
            Some(Uuid::try_parse(id).is_ok() && [MADE, MAKING].contains(&extension))
        };
        parse().unwrap_or(false)
    }
}

/// The last event of each boot.
pub(super) fn last_of_each(events: impl Iterator<Item = Event>) -> Vec<Event> {
    let mut last: HashMap<Uuid, Event> = HashMap::new();
    for event in events {
        let (boot, seq, _) = &event;
        if last.get(boot).is_none_or(|(_, known, _)| known < seq) {
            last.insert(*boot, event);
        }
    }
    last.into_values().collect()
}

/// The file if nobody holds it, locked.
fn unheld(path: &Path) -> Option<File> {
    let file = File::open(path).ok()?;
    file.try_lock().ok()?;
    Some(file)
}

#[cfg(test)]
pub(super) mod tests {
    use std::ops::RangeInclusive;

    use super::super::LackingStretch;
    use super::*;
    use crate::clock::UtcMicros;
    use crate::event::{Class, Draft, Facts, Outcome, Source, action};

    pub(in super::super) const BOOT: Uuid = Uuid::from_u128(1);

    /// Events of a door with these numbers.
    pub(in super::super) fn numbered(numbers: RangeInclusive<u64>) -> Vec<(u64, Message)> {
        let source = Source {
            service: "api-service".to_owned(),
            instance: "door".to_owned(),
            boot: BOOT,
        };
        let event = |seq| {
            let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Success);
            let draft = Draft::new(UtcMicros::from_seconds(1_700_000_000), facts);
            let event = draft.numbered(source.clone(), seq);
            let message = Message {
                routing_key: event.routing_key(),
                body: wire::encode(&event).unwrap().into(),
            };
            (seq, message)
        };
        numbers.map(event).collect()
    }

    fn bodies(numbers: RangeInclusive<u64>) -> Vec<Bytes> {
        let events = numbered(numbers).into_iter();
        events.map(|(_, message)| message.body).collect()
    }

    fn files(dir: &tempfile::TempDir, service: &'static str) -> Files {
        Files::new(dir.path().to_owned(), service)
    }

    fn written(dir: &tempfile::TempDir, events: &[Bytes]) -> Files {
        let mut files = files(dir, "api-service");
        files.append(events);
        files
    }

    fn left_in(dir: &tempfile::TempDir, service: &'static str) -> Vec<u64> {
        let lacking = Lacking {
            stretches: vec![LackingStretch {
                boot: BOOT,
                first: 1,
                last: u64::MAX,
            }],
        };
        let left = files(dir, service).lacking_in_left(&lacking);
        left.iter().map(|(_, seq, _)| *seq).collect()
    }

    fn paths(dir: &tempfile::TempDir) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(dir.path()).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    #[test]
    fn what_is_left_is_read_as_it_was_written_and_stays_for_who_asks_again() {
        let dir = tempfile::tempdir().unwrap();
        let events = numbered(1..=3);
        let bodies: Vec<_> = events.iter().map(|(_, message)| message.body.clone()).collect();
        drop(written(&dir, &bodies));
        let stretch = LackingStretch {
            boot: BOOT,
            first: 2,
            last: 3,
        };
        let lacking = Lacking {
            stretches: vec![stretch],
        };

        for _ in 0..2 {
            let left = files(&dir, "api-service").lacking_in_left(&lacking);
            let left: Vec<_> = left.into_iter().map(|(_, seq, message)| (seq, message)).collect();
            assert_eq!(left, events[1..]);
        }
    }

    #[test]
    fn what_a_living_producer_holds_is_not_taken_for_left() {
        let dir = tempfile::tempdir().unwrap();
        let living = written(&dir, &bodies(1..=3));

        assert!(left_in(&dir, "api-service").is_empty());
        drop(living);
        assert_eq!(left_in(&dir, "api-service"), [1, 2, 3]);
    }

    #[test]
    fn a_line_that_is_not_as_it_was_written_is_passed_over() {
        let dir = tempfile::tempdir().unwrap();
        drop(written(&dir, &bodies(1..=4)));
        let [path] = paths(&dir).try_into().unwrap();
        let mut lines = std::fs::read(&path).unwrap();
        let second = lines.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        // A letter of the second event, and half of the last.
        lines[second + 60] ^= 1;
        lines.truncate(lines.len() - 100);
        std::fs::write(&path, lines).unwrap();

        assert_eq!(left_in(&dir, "api-service"), [1, 3]);
    }

    #[test]
    fn events_of_another_service_are_not_sent_as_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        drop(written(&dir, &bodies(1..=1)));
        let mut other = files(&dir, "auth-service");
        other.append(&bodies(2..=2));
        drop(other);

        assert_eq!(left_in(&dir, "api-service"), [1]);
        assert!(left_in(&dir, "auth-service").is_empty());
    }

    #[test]
    fn a_producer_has_two_files_at_most_and_the_last_events_in_them() {
        let dir = tempfile::tempdir().unwrap();
        let mut files = files(&dir, "api-service");
        let filler: Vec<Bytes> = vec![vec![b'x'; 1 << 20].into(); 17];
        for seq in 1..=4 {
            files.append(&bodies(seq..=seq));
            files.append(&filler);
        }
        files.append(&bodies(5..=5));
        assert_eq!(paths(&dir).len(), 2);
        drop(files);

        let mut left = left_in(&dir, "api-service");
        left.sort_unstable();
        assert_eq!(left, [4, 5]);
    }

    #[test]
    fn what_nobody_will_ask_for_is_removed_unless_it_is_held() {
        let dir = tempfile::tempdir().unwrap();
        let grow_old = |path: &PathBuf| {
            let file = File::options().append(true).open(path).unwrap();
            let written = file.metadata().unwrap().modified().unwrap();
            file.set_modified(written - 2 * USEFUL_FOR).unwrap();
        };
        std::fs::write(dir.path().join("api-service.toml"), "").unwrap();
        let living = written(&dir, &bodies(1..=1));
        paths(&dir).iter().for_each(grow_old);

        assert!(left_in(&dir, "api-service").is_empty());
        assert_eq!(paths(&dir).len(), 2);
        drop(living);
        assert!(left_in(&dir, "api-service").is_empty());
        assert_eq!(paths(&dir), [dir.path().join("api-service.toml")]);
    }

    #[test]
    fn a_folder_that_takes_nothing_costs_no_more_than_the_files() {
        let dir = tempfile::tempdir().unwrap();
        let blocked = dir.path().join("confirmed");
        std::fs::write(&blocked, "").unwrap();
        let mut files = Files::new(blocked.clone(), "api-service");
        files.append(&bodies(1..=1));
        assert!(files.is_failing);

        std::fs::remove_file(&blocked).unwrap();
        files.append(&bodies(2..=2));

        assert!(!files.is_failing);
        drop(files);
        assert_eq!(Files::new(blocked, "api-service").left().count(), 1);
    }
}
