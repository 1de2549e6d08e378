//! Copies of key sets on disk, so that a service that starts while an issuer is away knows its keys all the same.
//!
//! A copy is believed as little as an answer: it is bounded, read by the same rules, and as old as what it was copied from.
//! Whoever can write here can let anybody in, as with every other file of settings, so that others than the owner must not.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tempfile::NamedTempFile;

use super::KeyOrigin;
use crate::clock::UtcMicros;
use crate::token::{JwksError, KEY_SET_BYTES_MAX, KeySet};

/// The largest copy read, in bytes: a key set and what is said of it.
const COPY_BYTES_MAX: u64 = KEY_SET_BYTES_MAX as u64 + 16 * 1024;

/// How far clocks of those who share a folder may differ.
const CLOCK_STEP_MAX: Duration = Duration::from_mins(1);

/// The folder of the copies. Replicas may share it.
#[derive(Clone, Debug)]
pub struct KeyCopies {
    dir: PathBuf,
}

/// Why there is no copy to go by.
#[derive(Debug, thiserror::Error)]
pub(super) enum CopyError {
    #[error("the file cannot be used: {0}")]
    File(#[from] io::Error),
    #[error("others than its owner may write the file")]
    Unguarded,
    #[error("the file is larger than a key set")]
    TooLarge,
    #[error("the file is no copy of a key set: {0}")]
    Malformed(#[from] serde_json::Error),
    #[error("the file is a copy of something else")]
    Elsewhere,
    #[error("the file is from the future")]
    Future,
    #[error(transparent)]
    Keys(#[from] JwksError),
}

#[derive(Serialize, Deserialize)]
struct Copy<'c> {
    iss: String,
    jwks: String,
    /// When the issuer was asked for it.
    fetched_at: UtcMicros,
    #[serde(borrow)]
    key_set: &'c RawValue,
}

impl KeyCopies {
    /// Copies in the folder at `dir`, which is made, for its owner alone, if it is not there.
    pub fn in_folder(dir: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        Ok(Self { dir: dir.to_owned() })
    }

    /// Keeps the set that `origin` answered with when it was asked at `fetched_at`, in place of the former or not at all.
    pub(super) fn keep(
        &self,
        origin: &KeyOrigin,
        key_set: &[u8],
        fetched_at: UtcMicros,
    ) -> Result<(), CopyError> {
        let copy = Copy {
            iss: origin.iss.clone(),
            jwks: origin.jwks.to_string(),
            fetched_at,
            key_set: serde_json::from_slice(key_set)?,
        };
        // Made for its owner alone; renamed only when it is whole and on the disk.
        let mut file = NamedTempFile::new_in(&self.dir)?;
        serde_json::to_writer(&mut file, &copy)?;
        file.flush()?;
        file.as_file().sync_all()?;
        file.persist(self.path(origin)).map_err(|error| error.error)?;
        Ok(File::open(&self.dir)?.sync_all()?)
    }

    /// The copy of `origin`'s set and when the issuer was asked for it; `None` if there is no copy.
    pub(super) fn recall(
        &self,
        origin: &KeyOrigin,
        now: UtcMicros,
    ) -> Result<Option<(KeySet, UtcMicros)>, CopyError> {
        let file = match File::open(self.path(origin)) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        if file.metadata()?.permissions().mode() & 0o022 != 0 {
            return Err(CopyError::Unguarded);
        }
        let mut bytes = Vec::new();
        file.take(COPY_BYTES_MAX + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > COPY_BYTES_MAX {
            return Err(CopyError::TooLarge);
        }
        let copy: Copy<'_> = serde_json::from_slice(&bytes)?;
        if copy.iss != origin.iss || copy.jwks != origin.jwks.to_string() {
            return Err(CopyError::Elsewhere);
        }
        if copy.fetched_at > now.plus(CLOCK_STEP_MAX) {
            return Err(CopyError::Future);
        }
        let keys = KeySet::from_jwks(copy.key_set.get().as_bytes())?;
        Ok(Some((keys, copy.fetched_at)))
    }

    /// Named by what the set is of, in characters that every file system takes.
    fn path(&self, origin: &KeyOrigin) -> PathBuf {
        let named = format!("{}\n{}", origin.iss, origin.jwks);
        let hash = URL_SAFE_NO_PAD.encode(digest(&SHA256, named.as_bytes()));
        self.dir.join(format!("jwks-{hash}.json"))
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const JWK: &str =
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}"#;
    const NOW: UtcMicros = UtcMicros::from_seconds(1_700_000_000);

    fn origin(iss: &str) -> KeyOrigin {
        KeyOrigin {
            iss: iss.to_owned(),
            jwks: "https://a.example/jwks".parse().unwrap(),
        }
    }

    fn set() -> String {
        format!(r#"{{"keys":[{JWK}]}}"#)
    }

    /// A folder with a copy of the set of `a`.
    fn folder() -> (TempDir, KeyCopies) {
        let folder = tempfile::tempdir().unwrap();
        let copies = KeyCopies::in_folder(&folder.path().join("keys")).unwrap();
        copies.keep(&origin("a"), set().as_bytes(), NOW).unwrap();
        (folder, copies)
    }

    fn recalled(copies: &KeyCopies, iss: &str) -> Result<bool, CopyError> {
        let recalled = copies.recall(&origin(iss), NOW)?;
        Ok(recalled.is_some_and(|(keys, at)| keys.knows("k") && at == NOW))
    }

    #[test]
    fn a_copy_is_recalled_with_its_age_for_its_own_issuer_and_place_alone() {
        let (_folder, copies) = folder();

        assert!(recalled(&copies, "a").unwrap());
        assert!(!recalled(&copies, "b").unwrap());
        let mut moved = origin("a");
        moved.jwks = "https://b.example/jwks".parse().unwrap();
        assert!(copies.recall(&moved, NOW).unwrap().is_none());
        std::fs::rename(copies.path(&origin("a")), copies.path(&moved)).unwrap();
        assert!(matches!(copies.recall(&moved, NOW), Err(CopyError::Elsewhere)));
    }

    #[test]
    fn a_copy_and_its_folder_are_their_owner_s_and_others_must_not_write() {
        let (_folder, copies) = folder();
        let path = copies.path(&origin("a"));
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&copies.dir), mode(&path)), (0o700, 0o600));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o620)).unwrap();

        assert!(matches!(recalled(&copies, "a"), Err(CopyError::Unguarded)));
    }

    #[test]
    fn a_copy_is_validated_as_an_answer_is() {
        let (_folder, copies) = folder();
        let path = copies.path(&origin("a"));
        let good = std::fs::read_to_string(&path).unwrap();
        for (bad, what) in [
            (good[..good.len() / 2].to_owned(), "torn"),
            (
                good.replace("\"kid\":\"k\"", "\"kid\":\"k\",\"d\":\"x\""),
                "private",
            ),
            (good.replace("OKP", "oct"), "symmetric"),
            (good.replace("2023", "2024"), "from the future"),
            (
                good.replace("{\"iss\"", &format!("{{{}\"iss\"", " ".repeat(300 * 1024))),
                "too large",
            ),
            (String::new(), "empty"),
        ] {
            assert_ne!(bad, good, "{what}");
            std::fs::write(&path, bad).unwrap();

            assert!(recalled(&copies, "a").is_err(), "{what}");
        }
    }

    #[test]
    fn a_copy_that_cannot_be_written_leaves_the_former() {
        let (_folder, copies) = folder();

        assert!(copies.keep(&origin("a"), b"no JSON", NOW).is_err());

        assert!(recalled(&copies, "a").unwrap());
        assert_eq!(std::fs::read_dir(&copies.dir).unwrap().count(), 1);
    }
}
