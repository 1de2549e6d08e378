//! A file that is being made: under another name until it is whole, so that nobody takes what was broken off for an export.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use shared::runtime::cli::StartError;

/// The file on its way. Dropped before its end, it is removed.
pub(super) struct Part {
    file: BufWriter<File>,
    path: PathBuf,
    out: PathBuf,
    is_whole: bool,
}

impl Part {
    /// Begins the file that will be `out`; there must be neither of them yet.
    pub(super) fn begin(out: &Path) -> Result<Self, StartError> {
        if out.exists() {
            return Err(failed(out, &io::ErrorKind::AlreadyExists.into()));
        }
        let path = with_ending(out, ".part");
        let file = File::create_new(&path).map_err(|error| failed(&path, &error))?;
        Ok(Self {
            file: BufWriter::new(file),
            path,
            out: out.to_owned(),
            is_whole: false,
        })
    }

    /// Writes what comes next.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StartError> {
        self.file
            .write_all(bytes)
            .map_err(|error| failed(&self.path, &error))
    }

    /// Makes what was written last.
    pub(super) fn sync(&mut self) -> Result<(), StartError> {
        let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        synced.map_err(|error| failed(&self.path, &error))
    }

    /// Gives it its name, unless somebody has taken that meanwhile.
    pub(super) fn finish(mut self) -> Result<(), StartError> {
        let renamed = File::create_new(&self.out).and_then(|_| {
            fs::rename(&self.path, &self.out).inspect_err(|_| drop(fs::remove_file(&self.out)))
        });
        self.is_whole = renamed.is_ok();
        renamed.map_err(|error| failed(&self.out, &error))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_whole {
            drop(fs::remove_file(&self.path));
        }
    }
}

/// The path with more behind it.
pub(super) fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut longer = OsString::from(path);
    longer.push(ending);
    longer.into()
}

/// What is wrong with a file.
pub(super) fn failed(path: &Path, error: &io::Error) -> StartError {
    StartError::failed(format!("{}: {error}", path.display()))
}
