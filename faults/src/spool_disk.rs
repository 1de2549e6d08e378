//! The disk under the spool of the doors, which can be full.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tokio::task::spawn_blocking;

use crate::Outcome;
use crate::shell::{output, status};

/// The size of the disk: room for what waits in any fault, and soon filled.
const SIZE: &str = "size=48m,mode=0700";

/// How much is written at a time to fill it.
const BALLAST_BYTES: usize = 64 * 1024;

/// The folder of the spool, and how it is made to be full.
#[derive(Debug)]
pub struct SpoolDisk {
    folder: PathBuf,
    kind: Kind,
}

/// How a full disk is had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A small file system in memory, which is filled (`ENOSPC`). Needs the right to mount.
    Tmpfs,
    /// A limit on the size of the files that the doors write (`RLIMIT_FSIZE`, `EFBIG`).
    FileSizeLimit,
}

impl SpoolDisk {
    /// Makes the folder, on a file system of its own where that may be mounted.
    pub async fn make(folder: PathBuf) -> Outcome<Self> {
        fs::create_dir_all(&folder)?;
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", SIZE, "gatelog-faults"])
            .arg(&folder);
        let kind = match status(mount).await {
            Ok(()) => Kind::Tmpfs,
            Err(_) => Kind::FileSizeLimit,
        };
        Ok(Self { folder, kind })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How it is made to be full.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Makes it full for these processes.
    pub async fn fill(&self, writers: &[i64]) -> Outcome<()> {
        match self.kind {
            Kind::Tmpfs => {
                let ballast = self.ballast();
                spawn_blocking(move || fill(&ballast)).await?
            }
            // One byte: SQLite's files are larger.
            Kind::FileSizeLimit => limit(writers, "--fsize=1:unlimited").await,
        }
    }

    /// Gives room again.
    pub async fn free(&self, writers: &[i64]) -> Outcome<()> {
        match self.kind {
            Kind::Tmpfs => Ok(fs::remove_file(self.ballast())?),
            Kind::FileSizeLimit => limit(writers, "--fsize=unlimited:unlimited").await,
        }
    }

    fn ballast(&self) -> PathBuf {
        self.folder.join("ballast")
    }

    /// How many folders of boots are in it, of doors that live and of those that are gone.
    pub fn boots(&self) -> Outcome<usize> {
        let entries = fs::read_dir(&self.folder)?;
        let named = |entry: std::io::Result<fs::DirEntry>| {
            entry.is_ok_and(|entry| entry.path().extension().is_some_and(|made| made == "boot"))
        };
        Ok(entries.map(named).filter(|is_boot| *is_boot).count())
    }
}

impl Drop for SpoolDisk {
    fn drop(&mut self) {
        if self.kind == Kind::Tmpfs {
            // Lazily: a writer that was killed just now may still be on its way out.
            drop(Command::new("umount").arg("--lazy").arg(&self.folder).status());
        }
    }
}

/// Writes until nothing more fits.
fn fill(ballast: &Path) -> Outcome<()> {
    let mut file = File::create(ballast)?;
    let mut size = BALLAST_BYTES;
    while size > 0 {
        match file.write(&vec![0; size]) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::StorageFull => size /= 2,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

async fn limit(writers: &[i64], limit: &str) -> Outcome<()> {
    for writer in writers {
        let mut command = Command::new("prlimit");
        command.arg(format!("--pid={writer}")).arg(limit);
        output(command).await?;
    }
    Ok(())
}
