//! What was confirmed, on the disk: for who comes after a producer that has ended, however it ended.
//!
//! A line for each event: its CRC-32, and the event as it is on the wire. The files are written and never synced, so that they survive the
//! process and not the loss of power. Each is locked for as long as its writer lives; what nobody holds is read, and removed once the
//! collector does not ask for it any more.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

use bytes::Bytes;

use super::left::Left;
use super::line;

/// Bytes of a file, beside the last batch. A producer has two of them: one that it writes, and the one before.
const FILE_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// The files of a producer in a folder, which others of the same service may share.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) left: Left,
    /// The one that is written, and the one before.
    own: Option<Own>,
    before: Option<Own>,
    is_failing: bool,
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
    fn create((making, path): (PathBuf, PathBuf)) -> io::Result<Self> {
        let file = File::options()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(&making)?;
        file.try_lock()?;
        std::fs::rename(&making, &path)?;
        Ok(Self { path, file, bytes: 0 })
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
            left: Left::new(dir, service),
            own: None,
            before: None,
            is_failing: false,
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
                    let dir = self.left.dir().display();
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
            self.left.remove_useless();
        }
        let own = if let Some(own) = &mut self.own {
            own
        } else {
            // What is in it names people and addresses.
            let dir = self.left.dir();
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
            self.own.insert(Own::create(self.left.new_path())?)
        };
        let lines = line::lines(events.iter().map(AsRef::as_ref));
        own.file.write_all(&lines)?;
        own.bytes += lines.len() as u64;
        Ok(())
    }
}
