//! What the folders of a spool hold, for people; changes nothing, and is safe beside a process that uses them.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uuid::Uuid;

use super::damage::{Damage, Flaw};
use super::folder::{Folder, State, folders};
use super::record::Record;
use super::store::{ReadError, Store};
use super::write_ahead_log::Written;
use crate::clock::UtcMicros;
use crate::event::wire;
use crate::runtime::cli::{StartError, printable};
use crate::runtime::common::SPOOL_DIR;
use crate::runtime::settings::Reader;

/// Records that are read at a time.
const BATCH_MAX: usize = 512;

/// What of a spool is to be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inspection {
    /// A line for each folder.
    List,
    /// The events that wait, as they are on the wire, one a line. They name people and addresses.
    Show,
    /// What is damaged.
    Verify,
}

impl FromStr for Inspection {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "list" => Ok(Self::List),
            "show" => Ok(Self::Show),
            "verify" => Ok(Self::Verify),
            _ => Err("one of list, show, verify"),
        }
    }
}

/// Writes it to standard output for the service that has its settings under `prefix`, as its command `spool`. An error tells that
/// something is damaged.
pub fn command(
    prefix: &'static str,
    config: Option<&Path>,
    service: &str,
    (inspection, boot): (Inspection, Option<Uuid>),
) -> Result<(), StartError> {
    let dir: Option<PathBuf> = Reader::of_process(prefix, config).value(&SPOOL_DIR);
    let dir = dir.ok_or_else(|| StartError::config("spool_dir is not set"))?;
    match inspect(&dir, service, boot, inspection, &mut io::stdout().lock()) {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::failed("not all of it can be read")),
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        Err(error) => Err(StartError::failed(format!("{}: {error}", dir.display()))),
    }
}

/// Writes what is to be seen of the folders of `service` in `dir`, or of those of one boot, and returns whether all of them are sound.
pub fn inspect(
    dir: &Path,
    service: &str,
    boot: Option<Uuid>,
    inspection: Inspection,
    out: &mut impl Write,
) -> io::Result<bool> {
    let mut all_sound = true;
    for folder in folders(dir, service)? {
        if boot.is_some_and(|boot| boot != folder.boot) || folder.state == State::Making {
            continue;
        }
        let mut on_event = |record: &Record| match inspection {
            Inspection::Show => writeln!(out, "{}", printable(&String::from_utf8_lossy(&record.body))),
            Inspection::List | Inspection::Verify => Ok(()),
        };
        let found = examine(&folder, &mut on_event)?;
        all_sound &= found.problem.is_none();
        if inspection != Inspection::Show {
            writeln!(out, "{}", line(&folder, &found))?;
        }
    }
    Ok(all_sound)
}

/// What a folder holds.
#[derive(Debug, Default)]
struct Found {
    /// First and last number of the events that wait.
    numbers: Option<(u64, u64)>,
    bytes: usize,
    oldest: Option<UtcMicros>,
    intents: usize,
    problem: Option<String>,
}

/// Reads all that waits; `on_event` sees each event.
fn examine(folder: &Folder, on_event: &mut impl FnMut(&Record) -> io::Result<()>) -> io::Result<Found> {
    let mut found = Found::default();
    let log = log_of(folder)?;
    let store = match Store::open_read_only(&folder.path) {
        Ok(store) => store,
        Err(error) => {
            found.problem = Some(error.to_string());
            return Ok(found);
        }
    };
    match store.intents() {
        Ok((intents, 0)) => found.intents = intents.len(),
        Ok((intents, unreadable)) => {
            found.intents = intents.len() + unreadable;
            found.problem = Some(format!("{unreadable} intents cannot be read"));
        }
        Err(error) => found.problem = Some(error.to_string()),
    }
    let mut before = match store.first() {
        Ok(first) => first,
        Err(error) => {
            found.problem = Some(error.to_string());
            return Ok(found);
        }
    };
    let mut after = before.seq;
    loop {
        let batch = match store.read_on(after, BATCH_MAX) {
            Ok(batch) => batch,
            Err(error) => {
                let next = match &error {
                    ReadError::Damaged(damage) => damage.next_seq(),
                    ReadError::Storage(_) => None,
                };
                found.problem.get_or_insert_with(|| error.to_string());
                let Some(next) = next else { break };
                after = next - 1;
                continue;
            }
        };
        let Some(last) = batch.last() else { break };
        after = last.seq;
        for record in &batch {
            found.add(record, &before);
            on_event(record)?;
            before = record.clone();
        }
    }
    let unread = unread(&store, log, before.seq);
    found.problem = found.problem.or(unread);
    Ok(found)
}

/// What the log of a folder holds. One that is being written is another from one look to the next, so that nothing is said of it.
fn log_of(folder: &Folder) -> io::Result<Written> {
    if folder.is_held() {
        return Ok(Written::Frames(0));
    }
    Written::of(&folder.path)
}

/// What of the log SQLite did not read, if anything, after the last event that it did.
fn unread(store: &Store, log: Written, last_seq: u64) -> Option<String> {
    match log.is_read_by(store) {
        Ok(true) => None,
        Ok(false) => {
            let (flaw, lost) = (Flaw::Log, None);
            Some(Damage { flaw, last_seq, lost }.to_string())
        }
        Err(error) => Some(error.to_string()),
    }
}

impl Found {
    fn add(&mut self, record: &Record, before: &Record) {
        let first = self.numbers.map_or(record.seq, |(first, _)| first);
        self.numbers = Some((first, record.seq));
        self.bytes += record.body.len();
        if self.oldest.is_none() {
            self.oldest = wire::decode(&record.body).ok().map(|event| event.time);
        }
        let follows = before.seq + 1 == record.seq;
        if follows && before.running_hash.after(&record.body) != record.running_hash {
            self.problem
                .get_or_insert_with(|| format!("event {} does not continue the running hash", record.seq));
        }
    }
}

fn line(folder: &Folder, found: &Found) -> String {
    let source = Folder::source(&folder.path);
    let instance = source.map_or_else(|| "?".to_owned(), |source| source.instance);
    let state = match folder.state {
        State::SetAside => "set aside",
        State::Making | State::Made if folder.is_held() => "live",
        State::Making | State::Made => "abandoned",
    };
    let events = found.numbers.map_or_else(
        || "nothing waits".to_owned(),
        |(first, last)| format!("events {first} to {last}, {} bytes", found.bytes),
    );
    let oldest = found
        .oldest
        .map(|time| format!(", oldest of {time}"))
        .unwrap_or_default();
    let intents = match found.intents {
        0 => String::new(),
        intents => format!(", {intents} intents open"),
    };
    let soundness = found.problem.as_deref().unwrap_or("sound");
    format!(
        "/{}/{instance}/{} {state}: {events}{oldest}{intents}: {soundness}",
        folder.service, folder.boot
    )
}
