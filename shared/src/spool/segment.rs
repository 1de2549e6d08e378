//! One boot's folder, locked: a lock file and a database of its events in order.

use std::fs::{DirBuilder, File, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use super::SpoolError;
use super::damage::{Damage, Flaw};
use super::folder::{Folder, LOCK, State, sync_folder};
use super::intent;
use super::store::{Change, ReadError, Store, WRITE_AHEAD_LOG};
use super::write_ahead_log::Written;
use crate::event::Source;

/// One boot's folder, locked by this process for as long as this value lives.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) store: Store,
    /// The number of the last event that was known to be confirmed when it was opened.
    pub(super) confirmed: u64,
    lock: Lock,
}

/// The lock of a folder.
#[derive(Debug)]
pub(super) struct Lock {
    folder: PathBuf,
    /// The lock is released when the file is closed.
    file: File,
}

/// The folder of a boot that is gone, now locked by this process.
#[derive(Debug)]
pub(super) enum Adopted {
    /// Its process lives, or another one has adopted it.
    Held,
    /// There is something to read; with what of the log SQLite will never read.
    Segment(Segment, Option<Damage>),
    /// There is nothing to read.
    Empty(Lock),
    /// Nothing of it can be read.
    Damaged(Lock, Damage),
}

impl Segment {
    /// Makes and locks the folder of a new boot.
    ///
    /// The folder gets its name when it is locked, so that nobody adopts it while it is made. Where it cannot be made, nothing is left:
    /// who is started again and again on a full disk would fill it with folders.
    pub(super) fn create(dir: &Path, source: &Source) -> Result<Self, SpoolError> {
        let making = Folder::path_of(dir, source, State::Making);
        let folder = Folder::path_of(dir, source, State::Made);
        // What is in it names people and addresses.
        DirBuilder::new().recursive(true).mode(0o700).create(&making)?;
        let lock = make_lock(&making, source)
            .and_then(|lock| std::fs::rename(&making, &folder).map(|()| lock))
            .inspect_err(|_| take_back(&making))?;
        let store = make_store(dir, &folder).inspect_err(|_| take_back(&folder))?;
        Ok(Self {
            store,
            confirmed: 0,
            lock: Lock { folder, file: lock },
        })
    }

    /// Locks and opens the folder of a boot that is gone.
    pub(super) fn adopt(folder: &Path) -> Result<Adopted, SpoolError> {
        let Some(lock) = lock(folder)? else {
            return Ok(Adopted::Held);
        };
        // SQLite may change the log as soon as it has opened it.
        let written = Written::of(folder)?;
        match open(folder, written) {
            Ok(Some(Opened {
                store,
                confirmed,
                torn,
            })) => {
                let segment = Self {
                    store,
                    confirmed,
                    lock,
                };
                Ok(Adopted::Segment(segment, torn))
            }
            Ok(None) => Ok(Adopted::Empty(lock)),
            Err(ReadError::Damaged(damage)) => Ok(Adopted::Damaged(lock, damage)),
            Err(ReadError::Storage(error)) => Err(error.into()),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.lock.folder
    }

    /// Whether the folder is still there, and is the one that was locked.
    pub(super) fn is_in_place(&self) -> bool {
        let identity = |file: std::fs::Metadata| (file.dev(), file.ino());
        let there = std::fs::metadata(self.lock.folder.join(LOCK)).map(identity);
        let locked = self.lock.file.metadata().map(identity);
        matches!((there, locked), (Ok(there), Ok(locked)) if there == locked)
    }

    /// Makes events of the intents whose outcome never came, numbered after the last one. Returns whether there were any.
    pub(super) fn tell_intents(&mut self) -> Result<bool, ReadError> {
        let (intents, unreadable) = self.store.intents()?;
        if intents.is_empty() && unreadable == 0 {
            return Ok(false);
        }
        let last = self.store.last()?;
        let untold = || Damage {
            flaw: Flaw::Intent,
            last_seq: last.seq,
            lost: None,
        };
        let source = Folder::source(self.folder()).ok_or_else(untold)?;
        let records = intent::number(&intents, &source, &last).map_err(|_| untold())?;
        let ended: Vec<_> = intents.iter().map(|intent| intent.id).collect();
        let change = Change {
            records: &records,
            ended: &ended,
            ..Change::default()
        };
        self.store.write(&change).map_err(ReadError::Storage)?;
        // Those that cannot be read are told of as damage, once the others are on their way.
        if records.is_empty() {
            Err(untold().into())
        } else {
            Ok(true)
        }
    }

    /// The file whose sync makes written events survive power loss. SQLite keeps it for as long as a connection is open.
    pub(super) fn write_ahead_log(&self) -> std::io::Result<File> {
        File::options()
            .append(true)
            .open(self.folder().join(WRITE_AHEAD_LOG))
    }

    /// Closes the database and keeps the lock.
    pub(super) fn close(self) -> Result<Lock, SpoolError> {
        self.store.close()?;
        Ok(self.lock)
    }
}

impl Lock {
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the whole folder after its last event was confirmed.
    pub(super) fn remove(self) -> std::io::Result<()> {
        let folder = &self.folder;
        // The lock goes last, so that nobody adopts a folder that is half removed.
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if !path.ends_with(LOCK) {
                std::fs::remove_file(path)?;
            }
        }
        std::fs::remove_file(folder.join(LOCK))?;
        std::fs::remove_dir(folder)
    }

    /// Leaves the folder to people, under a name that nobody adopts.
    pub(super) fn set_aside(self) -> std::io::Result<()> {
        std::fs::rename(&self.folder, Folder::aside(&self.folder))
    }
}

/// Makes and locks the file that tells whose folder it is.
fn make_lock(folder: &Path, source: &Source) -> std::io::Result<File> {
    let mut lock = File::create(folder.join(LOCK))?;
    lock.try_lock()?;
    lock.write_all(&serde_json::to_vec(source)?)?;
    Ok(lock)
}

fn make_store(dir: &Path, folder: &Path) -> Result<Store, SpoolError> {
    let store = Store::create(folder)?;
    sync_folder(folder)?;
    sync_folder(dir)?;
    Ok(store)
}

/// Removes what was only just made. What keeps it from being removed is what kept it from being made, which is told.
fn take_back(folder: &Path) {
    drop(std::fs::remove_dir_all(folder));
}

/// `None` if somebody has the lock, or the folder is gone.
fn lock(folder: &Path) -> Result<Option<Lock>, SpoolError> {
    let lock = match File::open(folder.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    // Whoever held the lock before may have removed the folder under it.
    let is_there = folder.join(LOCK).try_exists()?;
    Ok(is_there.then(|| Lock {
        folder: folder.to_owned(),
        file: lock,
    }))
}

/// The database of a boot that is gone.
struct Opened {
    store: Store,
    confirmed: u64,
    /// What of its log SQLite does not read.
    torn: Option<Damage>,
}

/// Opens the database whose log holds what was `written`; `None` if there is nothing in it.
fn open(folder: &Path, written: Written) -> Result<Option<Opened>, ReadError> {
    let damage = |last_seq| Damage {
        flaw: Flaw::Log,
        last_seq,
        lost: None,
    };
    let Some(store) = Store::open(folder)? else {
        return match written {
            Written::Frames(0) => Ok(None),
            Written::Frames(_) | Written::Garbage => Err(damage(0).into()),
        };
    };
    let torn = if written.is_read_by(&store)? {
        None
    } else {
        Some(damage(store.last_seq()?))
    };
    Ok(Some(Opened {
        confirmed: store.confirmed()?,
        store,
        torn,
    }))
}
