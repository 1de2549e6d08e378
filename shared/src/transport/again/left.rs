//! What producers that have ended have left on the disk, and what of it is sent by who comes after them.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use uuid::Uuid;

use super::Lacking;
use super::line;
use crate::event::wire;
use crate::transport::Message;

/// How long after it was confirmed an event is of use: the collector asks for ten minutes.
pub(super) const USEFUL_FOR: Duration = Duration::from_mins(15);

/// Files that are read at a time at most. Who is started again and again leaves many.
const READ_MAX: usize = 64;

/// What ends the name of a file, and what one that is not locked yet.
const MADE: &str = "confirmed";
const MAKING: &str = "confirming";

/// An event of a boot, by its number.
pub(super) type Event = (Uuid, u64, Message);

/// The files of a service in a folder whose writers have ended.
#[derive(Debug)]
pub(super) struct Left {
    dir: PathBuf,
    service: &'static str,
    /// The last event of each boot in them; they do not change any more.
    last: HashMap<PathBuf, Vec<Event>>,
}

impl Left {
    pub(super) fn new(dir: PathBuf, service: &'static str) -> Self {
        Self {
            dir,
            service,
            last: HashMap::new(),
        }
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// A name that no file has, while it is made and once it is.
    pub(super) fn new_path(&self) -> (PathBuf, PathBuf) {
        let path = self
            .dir
            .join(format!("{}.{}.{MADE}", self.service, Uuid::new_v4()));
        (path.with_extension(MAKING), path)
    }

    /// The events that are lacking in files whose writer has ended, each as often as it is there.
    pub(super) fn lacking(&self, lacking: &Lacking) -> Vec<Event> {
        self.remove_useless();
        let mut found = Vec::new();
        for (path, file) in self.files().take(READ_MAX) {
            let is_lacking = |(boot, seq, _): &Event| lacking.names(*boot, *seq);
            found.extend(self.read(&path, &file).filter(is_lacking));
        }
        found
    }

    /// The last event of each boot in files whose writer has ended, as often as there are files.
    pub(super) fn last_of_each(&mut self) -> Vec<Event> {
        self.remove_useless();
        let mut known = std::mem::take(&mut self.last);
        let left = self.files().take(READ_MAX).map(|(path, file)| {
            let last = known
                .remove(&path)
                .unwrap_or_else(|| last_of_each(self.read(&path, &file)));
            (path, last)
        });
        self.last = left.collect();
        self.last.values().flatten().cloned().collect()
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
        let body = line::body(line)?;
        let event = wire::decode(body).ok()?;
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
    pub(super) fn remove_useless(&self) {
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
    fn files(&self) -> impl Iterator<Item = (PathBuf, File)> {
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
