//! What boots that are gone have left: it takes room from those that live, so that crash after crash never fills the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::folder::{State, folders};
use super::room::Room;
use super::store::{DATABASE, Store, WRITE_AHEAD_LOG};

/// The folders that nobody holds, with the bytes in each. They are looked at once: nothing is added to them any more.
#[derive(Debug)]
pub(super) struct Left {
    room: Arc<Room>,
    folders: HashMap<PathBuf, u64>,
}

impl Left {
    /// Looks at what is in `dir` of `service`.
    pub(super) fn in_folder(dir: &Path, service: &str, room: Arc<Room>) -> Self {
        let mut left = Self {
            room,
            folders: HashMap::new(),
        };
        left.look_again(dir, service);
        left
    }

    /// Looks for folders that were left since, and forgets those that are gone. Those that somebody holds are that one's to count.
    pub(super) fn look_again(&mut self, dir: &Path, service: &str) {
        let mut known = std::mem::take(&mut self.folders);
        for folder in folders(dir, service).unwrap_or_default() {
            if folder.state != State::Made || folder.is_held() {
                continue;
            }
            let bytes = known
                .remove(&folder.path)
                .unwrap_or_else(|| bytes_in(&folder.path));
            self.folders.insert(folder.path, bytes);
        }
        self.tell();
    }

    /// The same, to be looked at on another thread; nothing is told meanwhile.
    pub(super) fn take(&mut self) -> Self {
        Self {
            room: Arc::clone(&self.room),
            folders: std::mem::take(&mut self.folders),
        }
    }

    /// Forgets one that was drained or set aside.
    pub(super) fn forget(&mut self, folder: &Path) {
        self.folders.remove(folder);
        self.tell();
    }

    fn tell(&self) {
        self.room.note_left(self.folders.values().sum());
    }
}

/// What is used of the database; of one that cannot be read, what its files take.
fn bytes_in(folder: &Path) -> u64 {
    let used = Store::open_read_only(folder).and_then(|store| store.used_bytes());
    used.unwrap_or_else(|_| {
        let size = |name| std::fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        size(DATABASE) + size(WRITE_AHEAD_LOG)
    })
}
