//! The files, their types and their compressed forms.

use std::collections::HashMap;
use std::io::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use rust_embed::RustEmbed;

/// In a debug build the files are read from the folder for every request: change one, load the page again.
#[derive(RustEmbed)]
#[folder = "console"]
struct Files;

/// Compressed forms by the SHA-256 of what was compressed: made once, when first asked for.
static COMPRESSED: LazyLock<Mutex<HashMap<[u8; 32], Bytes>>> = LazyLock::new(Mutex::default);

/// A file.
pub(super) struct Asset {
    pub(super) content_type: &'static str,
    pub(super) hash: [u8; 32],
    pub(super) bytes: Bytes,
}

impl Asset {
    /// The file at `path`, such as `app.js`, if there is one that browsers are meant to have.
    pub(super) fn at(path: &str) -> Option<Self> {
        let content_type = content_type(path)?;
        let file = Files::get(path)?;
        Some(Self {
            content_type,
            hash: file.metadata.sha256_hash(),
            bytes: match file.data {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            },
        })
    }

    /// The same compressed by gzip.
    pub(super) fn gzip(&self) -> Bytes {
        let mut compressed = COMPRESSED.lock().unwrap_or_else(PoisonError::into_inner);
        compressed
            .entry(self.hash)
            .or_insert_with(|| gzip(&self.bytes))
            .clone()
    }
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::with_capacity(bytes.len() / 3), Compression::best());
    // Writing into memory does not fail.
    let written = encoder.write_all(bytes).and_then(|()| encoder.finish());
    written.map(Bytes::from).unwrap_or_default()
}

/// Scripts without a character set are read by the page's guess.
fn content_type(path: &str) -> Option<&'static str> {
    let name = path.rsplit('/').next().unwrap_or_default();
    match name.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => Some("text/html; charset=utf-8"),
        Some("js") => Some("text/javascript; charset=utf-8"),
        Some("css") => Some("text/css; charset=utf-8"),
        Some("svg") => Some("image/svg+xml; charset=utf-8"),
        None if name == "LICENSE" => Some("text/plain; charset=utf-8"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_for_browsers_are_given_out() {
        assert!(Asset::at("index.html").is_some());
        for path in [
            "",
            "vendor",
            "vendor/VENDOR.toml",
            "../Cargo.toml",
            "nothing.js",
            "/index.html",
        ] {
            assert!(Asset::at(path).is_none(), "{path}");
        }
    }
}
