//! The folders of boots, by their names: `service.boot.state`.

use std::ffi::OsStr;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::event::Source;

/// A file whose lock says that the boot lives, and which names the boot.
pub(super) const LOCK: &str = "lock";

/// What a folder is, by the extension of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not locked yet.
    Making,
    /// May be adopted once its lock is free.
    Made,
    /// Could not be read to its end; nobody but people look at it.
    SetAside,
}

impl State {
    const fn extension(self) -> &'static str {
        match self {
            Self::Making => "new",
            Self::Made => "boot",
            Self::SetAside => "damaged",
        }
    }

    fn of(extension: &str) -> Option<Self> {
        [Self::Making, Self::Made, Self::SetAside]
            .into_iter()
            .find(|state| state.extension() == extension)
    }
}

/// A folder of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) service: String,
    pub(super) boot: Uuid,
    pub(super) state: State,
}

impl Folder {
    /// Where the folder of `source` is in `dir` in that state.
    pub(super) fn path_of(dir: &Path, source: &Source, state: State) -> PathBuf {
        dir.join(format!(
            "{}.{}.{}",
            source.service,
            source.boot,
            state.extension()
        ))
    }

    /// Whether a process has it.
    pub(super) fn is_held(&self) -> bool {
        let lock = File::open(self.path.join(LOCK)).map(|lock| lock.try_lock_shared());
        matches!(lock, Ok(Err(TryLockError::WouldBlock)))
    }

    /// The same folder, set aside.
    pub(super) fn aside(path: &Path) -> PathBuf {
        path.with_extension(State::SetAside.extension())
    }

    fn named(path: PathBuf) -> Option<Self> {
        let name = path.file_name().and_then(OsStr::to_str)?;
        let (rest, extension) = name.rsplit_once('.')?;
        let (service, boot) = rest.rsplit_once('.')?;
        Some(Self {
            service: service.to_owned(),
            boot: Uuid::try_parse(boot).ok()?,
            state: State::of(extension)?,
            path,
        })
    }

    /// Who wrote it, as its lock file says.
    pub(super) fn source(path: &Path) -> Option<Source> {
        serde_json::from_slice(&std::fs::read(path.join(LOCK)).ok()?).ok()
    }
}

/// The folders that boots of `service` have left in `dir` or still use, the same order each time.
///
/// Another service's events are not ours to publish: the broker vouches for the sender, and the collector believes no other.
pub(super) fn folders(dir: &Path, service: &str) -> std::io::Result<Vec<Folder>> {
    let entries = std::fs::read_dir(dir)?.collect::<std::io::Result<Vec<_>>>()?;
    let mut folders: Vec<_> = entries
        .iter()
        .filter_map(|entry| Folder::named(entry.path()))
        .filter(|folder| folder.service == service)
        .collect();
    folders.sort_unstable_by_key(|folder| folder.boot);
    Ok(folders)
}

/// Makes that `path` is in its parent folder after a power loss, too.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    File::open(path)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_service_boot_and_state() {
        let source = Source {
            service: "api-service".to_owned(),
            instance: "door.1".to_owned(),
            boot: Uuid::from_u128(7),
        };

        for state in [State::Making, State::Made, State::SetAside] {
            let path = Folder::path_of(Path::new("/spool"), &source, state);
            let folder = Folder::named(path.clone()).unwrap();

            assert_eq!(
                folder,
                Folder {
                    path,
                    service: source.service.clone(),
                    boot: source.boot,
                    state
                }
            );
        }
    }

    #[test]
    fn other_names_are_no_folders() {
        for name in ["api-service", "api-service.7.boot", "x.boot", "policy.toml", ""] {
            assert_eq!(Folder::named(PathBuf::from(name)), None, "{name}");
        }
    }
}
