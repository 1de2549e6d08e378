//! Where a policy was read from, so that it can be read again.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{SHA256, digest};

use super::{Policy, PolicyError, Surroundings, load};

/// The file of a policy and what the policy needs to know from the settings.
#[derive(Clone, Debug)]
pub struct PolicySource {
    file: Option<PathBuf>,
    surroundings: Surroundings,
}

impl PolicySource {
    pub(super) fn new(file: Option<&Path>, surroundings: &Surroundings) -> Self {
        Self {
            file: file.map(Path::to_path_buf),
            surroundings: surroundings.clone(),
        }
    }

    /// Another file in the same surroundings.
    #[must_use]
    pub fn of(&self, file: &Path) -> Self {
        Self::new(Some(file), &self.surroundings)
    }

    /// Reads and checks the policy again.
    pub fn load(&self) -> Result<Policy, PolicyError> {
        load(self.file.as_deref(), &self.surroundings)
    }

    /// The hash of what the file holds now; `None` without a file, or while it cannot be read.
    pub fn current_hash(&self) -> Option<String> {
        let text = std::fs::read_to_string(self.file.as_ref()?).ok()?;
        Some(hash_of(&text))
    }
}

/// SHA-256 in hexadecimal digits, as `sha256sum` prints it.
pub(super) fn hash_of(text: &str) -> String {
    let mut hex = String::new();
    for byte in digest(&SHA256, text.as_bytes()).as_ref() {
        // Writing to a string does not fail.
        write!(hex, "{byte:02x}").unwrap_or_default();
    }
    hex
}
