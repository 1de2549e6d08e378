//! Files of secrets that are made at a first start.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::secret;

/// Bytes of a secret that is made here.
const SECRET_BYTES: usize = 32;

/// Writes a fresh secret of 64 hexadecimal digits to `path`, readable by its owner only. Never replaces a file.
///
/// The file gets its name when it is complete, so that a crash leaves no half of a secret.
pub fn make_secret_file(path: &Path) -> std::io::Result<()> {
    let bytes = secret::fresh_bytes::<SECRET_BYTES>().map_err(std::io::Error::other)?;
    let mut text = String::with_capacity(SECRET_BYTES * 2 + 1);
    for byte in bytes {
        write!(text, "{byte:02x}").map_err(std::io::Error::other)?;
    }
    text.push('\n');
    let making = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&making)?;
    let made = file
        .write_all(text.as_bytes())
        .and_then(|()| file.sync_all())
        .and_then(|()| std::fs::hard_link(&making, path));
    std::fs::remove_file(&making)?;
    match made {
        // Another process was faster; its secret is as good.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}
