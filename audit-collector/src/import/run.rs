//! Reads a log on a thread of its own and appends its events in batches.

use std::fs::File;
use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;
use shared::clock::SharedClock;
use shared::database::DatabaseError;
use shared::event::{Class, Facts, Outcome, action};
use tokio::sync::mpsc;

use super::imported::own_event;
use super::lines::Lines;
use super::{Flaw, Format, Importer};
use crate::event_log::{Appended, Arrival, EventLog};

/// Events in one transaction.
const BATCH: usize = 1_000;

/// Batches that are read ahead.
const AHEAD: usize = 2;

/// Bad lines that are named; all of them are kept apart and counted.
const NAMED_MAX: usize = 10;

/// A log to be imported.
pub struct Input {
    /// What it is called in events.
    pub name: String,
    /// Where it comes from.
    pub reader: Box<dyn Read + Send>,
    /// Its format; `None` for that of its first good line.
    pub format: Option<Format>,
    /// The file that bad lines are kept in; it is made when there is one.
    pub rejects: PathBuf,
}

/// What came of a log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The format.
    pub format: Option<Format>,
    /// Events that are new.
    pub stored: u64,
    /// Events that were stored before.
    pub known: u64,
    /// Events under whose id another one is stored, which was left as it is.
    pub differing: u64,
    /// Lines that are no events.
    pub bad: u64,
    /// The first of them, by number and cause.
    pub named: Vec<(u64, Flaw)>,
}

impl Summary {
    fn take(&mut self, chunk: Chunk, appended: &Appended) {
        self.stored += appended.stored as u64;
        self.known += (appended.duplicates + appended.repeats) as u64;
        self.differing += appended.conflicts.len() as u64;
        self.bad += chunk.bad.len() as u64;
        let room = NAMED_MAX.saturating_sub(self.named.len());
        self.named.extend(chunk.bad.into_iter().take(room));
        self.format = chunk.format;
    }

    /// Lines that were not empty.
    pub const fn lines(&self) -> u64 {
        self.stored + self.known + self.differing + self.bad
    }
}

/// Why an import stopped. What was stored until then stays, and is known when the log is imported again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The log cannot be read.
    #[error("the log cannot be read beyond line {line}: {source}")]
    Unreadable {
        /// The last line that was read.
        line: u64,
        /// Why.
        source: io::Error,
    },
    /// Bad lines cannot be kept.
    #[error("bad lines cannot be kept in {path}: {source}")]
    Rejects {
        /// Where.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// An event of the import itself cannot be written.
    #[error("the import cannot be recorded: {0}")]
    Unrecorded(Flaw),
}

/// An import that stopped before the end of its log.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct Stopped {
    /// What came of the log until then.
    pub summary: Summary,
    /// Why.
    #[source]
    pub error: ImportError,
}

/// How many bytes of the input were read so far.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    /// The same input, counted.
    pub fn counting(&self, input: impl Read + Send + 'static) -> Box<dyn Read + Send> {
        Box::new(Counted {
            input,
            bytes: Arc::clone(&self.0),
        })
    }

    /// Bytes so far.
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    input: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.input.read(buffer)?;
        self.bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Lines that were read together.
#[derive(Default)]
struct Chunk {
    arrivals: Vec<Arrival>,
    bad: Vec<(u64, Flaw)>,
    format: Option<Format>,
}

/// Imports a log, and records that it was imported. `each` hears what came of it so far after every batch.
pub async fn import(
    log: &EventLog,
    clock: &SharedClock,
    input: Input,
    each: impl FnMut(&Summary),
) -> Result<Summary, Stopped> {
    let mut summary = Summary::default();
    let imported = import_into(&mut summary, (log, clock), input, each).await;
    match imported {
        Ok(()) => Ok(summary),
        Err(error) => Err(Stopped { summary, error }),
    }
}

async fn import_into(
    summary: &mut Summary,
    (log, clock): (&EventLog, &SharedClock),
    input: Input,
    mut each: impl FnMut(&Summary),
) -> Result<(), ImportError> {
    let name = input.name.clone();
    let (chunks, mut read) = mpsc::channel(AHEAD);
    let reading = tokio::task::spawn_blocking(move || read_log(input, &chunks));
    while let Some(chunk) = read.recv().await {
        let appended = log.append(&chunk.arrivals, &[], clock.now()).await?;
        summary.take(chunk, &appended);
        each(summary);
    }
    let panicked = |error| {
        Err(ImportError::Unreadable {
            line: summary.lines(),
            source: io::Error::other(error),
        })
    };
    let ended = reading.await.unwrap_or_else(panicked);
    let facts = facts(summary, ended.as_ref().err());
    let event = own_event(&name, clock.now(), facts).map_err(ImportError::Unrecorded)?;
    log.append(&[event], &[], clock.now()).await?;
    ended
}

fn facts(summary: &Summary, error: Option<&ImportError>) -> Facts {
    let outcome = if error.is_none() {
        Outcome::Success
    } else {
        Outcome::Error
    };
    Facts::new(Class::Admin, action::LOG_IMPORTED, outcome)
        .with_detail("format", summary.format.map(Format::as_str))
        .with_detail("stored", summary.stored)
        .with_detail("known", summary.known)
        .with_detail("differing", summary.differing)
        .with_detail("bad", summary.bad)
}

/// Reads to the end, or until nobody takes what is read any more.
fn read_log(input: Input, chunks: &mpsc::Sender<Chunk>) -> Result<(), ImportError> {
    let mut importer = Importer::new(&input.name, input.format);
    let mut lines = Lines::of(input.reader).map_err(|source| ImportError::Unreadable { line: 0, source })?;
    let mut rejects = Rejects {
        path: input.rejects,
        file: None,
    };
    loop {
        let mut chunk = Chunk::default();
        let ended = loop {
            if chunk.arrivals.len() + chunk.bad.len() == BATCH {
                break Ok(false);
            }
            let line = match lines.next() {
                Ok(Some(line)) => line,
                Ok(None) => break Ok(true),
                // What was read before is stored all the same.
                Err(source) => {
                    let line = lines.number();
                    break Err(ImportError::Unreadable { line, source });
                }
            };
            match line.flaw.map_or_else(|| importer.arrival(&line.text), Err) {
                Ok(arrival) => chunk.arrivals.push(arrival),
                Err(flaw) => {
                    rejects.keep(line.number, &line.text, &flaw)?;
                    chunk.bad.push((line.number, flaw));
                }
            }
        };
        chunk.format = importer.format();
        let is_taken = chunks.blocking_send(chunk).is_ok();
        if ended? || !is_taken {
            return rejects.close();
        }
    }
}

/// Bad lines, each as a JSON object with its number, its text and the cause.
struct Rejects {
    path: PathBuf,
    file: Option<io::BufWriter<File>>,
}

impl Rejects {
    fn keep(&mut self, number: u64, text: &str, flaw: &Flaw) -> Result<(), ImportError> {
        let line = json!({"line": number, "cause": flaw.to_string(), "text": text});
        let writing = match &mut self.file {
            Some(file) => writeln!(file, "{line}"),
            none => File::create(&self.path)
                .map(io::BufWriter::new)
                .and_then(|file| writeln!(none.insert(file), "{line}")),
        };
        writing.map_err(|source| self.error(source))
    }

    fn close(mut self) -> Result<(), ImportError> {
        let flushed = self.file.as_mut().map_or(Ok(()), io::Write::flush);
        flushed.map_err(|source| self.error(source))
    }

    fn error(&self, source: io::Error) -> ImportError {
        ImportError::Rejects {
            path: self.path.clone(),
            source,
        }
    }
}
