//! One boot's folder: a lock file and a SQLite database of its events in order.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags, params};

use super::SpoolError;
use crate::event::Source;

const DATABASE: &str = "spool.db";
const WRITE_AHEAD_LOG: &str = "spool.db-wal";
const LOCK: &str = "lock";

/// How a folder's name ends while it is made.
const MAKING: &str = ".new";

/// The extension of a folder that may be adopted once its lock is free.
const MADE: &str = "boot";

/// An event as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) seq: u64,
    pub(super) routing_key: String,
    pub(super) body: Vec<u8>,
}

/// One boot's folder, locked by this process for as long as this value lives.
#[derive(Debug)]
pub(super) struct Segment {
    folder: PathBuf,
    connection: Connection,
    /// The lock is released when the file is closed.
    _lock: File,
}

impl Segment {
    /// Makes and locks the folder of a new boot.
    ///
    /// The folder gets its name when it is locked, so that nobody adopts it while it is made.
    pub(super) fn create(dir: &Path, source: &Source) -> Result<Self, SpoolError> {
        let making = dir.join(format!("{}.{}{MAKING}", source.service, source.boot));
        // What is in it names people and addresses.
        DirBuilder::new().recursive(true).mode(0o700).create(&making)?;
        let lock = File::create(making.join(LOCK))?;
        lock.try_lock().map_err(std::io::Error::from)?;
        let folder = making.with_extension(MADE);
        std::fs::rename(making, &folder)?;
        Ok(Self {
            connection: open_database(&folder)?,
            folder,
            _lock: lock,
        })
    }

    /// Locks and opens the folder of a boot that is gone; `None` if its process lives or another one adopted it.
    pub(super) fn adopt(folder: &Path) -> Result<Option<Self>, SpoolError> {
        let lock = match File::open(folder.join(LOCK)) {
            Ok(lock) => lock,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // Whoever held the lock before may have removed the folder under it.
        if !folder.join(LOCK).try_exists()? {
            return Ok(None);
        }
        Ok(Some(Self {
            connection: open_database(folder)?,
            folder: folder.to_owned(),
            _lock: lock,
        }))
    }

    /// The folders in `dir` that a boot of `service` has left or still uses.
    ///
    /// Another service's events are not ours to publish: the broker vouches for the sender, and the collector believes
    /// no other.
    pub(super) fn folders(dir: &Path, service: &str) -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
        let named = |path: &PathBuf| {
            let name = path.file_name().and_then(std::ffi::OsStr::to_str);
            name.and_then(|name| name.strip_suffix(MADE)?.strip_suffix('.')?.rsplit_once('.'))
                .is_some_and(|(owner, _boot)| owner == service)
        };
        let mut folders: Vec<_> = entries
            .iter()
            .map(std::fs::DirEntry::path)
            .filter(named)
            .collect();
        folders.sort_unstable();
        Ok(folders)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The file whose sync makes written events survive power loss. SQLite keeps it for as long as a connection is open.
    pub(super) fn write_ahead_log(&self) -> std::io::Result<File> {
        File::options()
            .append(true)
            .open(self.folder.join(WRITE_AHEAD_LOG))
    }

    /// Writes events and removes those up to `trim_to`, all or nothing.
    pub(super) fn write(&mut self, records: &[Record], trim_to: u64) -> Result<(), rusqlite::Error> {
        let transaction = self.connection.transaction()?;
        {
            let mut insert = transaction
                .prepare_cached("INSERT INTO event (seq, routing_key, body) VALUES (?1, ?2, ?3)")?;
            for record in records {
                insert.execute(params![record.seq.cast_signed(), record.routing_key, record.body])?;
            }
            transaction
                .prepare_cached("DELETE FROM event WHERE seq <= ?1")?
                .execute([trim_to.cast_signed()])?;
        }
        transaction.commit()
    }

    /// Removes the whole folder after its last event was confirmed.
    pub(super) fn remove(self) -> Result<(), SpoolError> {
        let Self {
            folder,
            connection,
            _lock,
        } = self;
        connection.close().map_err(|(_, error)| error)?;
        // The lock goes last, so that nobody adopts a folder that is half removed.
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if !path.ends_with(LOCK) {
                std::fs::remove_file(path)?;
            }
        }
        std::fs::remove_file(folder.join(LOCK))?;
        Ok(std::fs::remove_dir(&folder)?)
    }

    /// A second connection for reading what the writer writes.
    pub(super) fn reader(folder: &Path) -> Result<Reader, rusqlite::Error> {
        let connection =
            Connection::open_with_flags(folder.join(DATABASE), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        Ok(Reader(connection))
    }

    /// The next events after `seq`, in order.
    pub(super) fn read_after(&self, seq: u64, count_max: usize) -> Result<Vec<Record>, rusqlite::Error> {
        read_after(&self.connection, seq, count_max)
    }
}

/// Reads a segment that another thread writes.
#[derive(Debug)]
pub(super) struct Reader(Connection);

impl Reader {
    /// The next events after `seq`, in order.
    pub(super) fn read_after(&self, seq: u64, count_max: usize) -> Result<Vec<Record>, rusqlite::Error> {
        read_after(&self.0, seq, count_max)
    }
}

/// Opens a segment's database; a boot that died at once may not have made it.
fn open_database(folder: &Path) -> Result<Connection, rusqlite::Error> {
    let connection = Connection::open(folder.join(DATABASE))?;
    connection.execute_batch(
        // NORMAL: a commit is written, not synced; the writer syncs the log itself after each group.
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         CREATE TABLE IF NOT EXISTS event
             (seq INTEGER PRIMARY KEY, routing_key TEXT NOT NULL, body BLOB NOT NULL) STRICT;",
    )?;
    Ok(connection)
}

fn read_after(connection: &Connection, seq: u64, count_max: usize) -> Result<Vec<Record>, rusqlite::Error> {
    let mut select = connection
        .prepare_cached("SELECT seq, routing_key, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![seq.cast_signed(), limit], |row| {
        Ok(Record {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            routing_key: row.get(1)?,
            body: row.get(2)?,
        })
    })?;
    rows.collect()
}
