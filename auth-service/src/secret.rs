//! Fresh random values, and the hash under which those that are used once are kept.

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Bytes of a secret that someone carries: 256 bits cannot be guessed, so that a plain hash protects them.
const TOKEN_BYTES: usize = 32;

/// The system has no randomness to give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system has no randomness to give")]
pub(crate) struct NoRandomness;

/// Random bytes.
pub(crate) fn fresh_bytes<const LENGTH: usize>() -> Result<[u8; LENGTH], NoRandomness> {
    let mut bytes = [0; LENGTH];
    aws_lc_rs::rand::fill(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A random text of 256 bits; `prefix` tells people and secret scanners what it is.
pub(crate) fn fresh_token(prefix: &str) -> Result<String, NoRandomness> {
    let bytes = fresh_bytes::<TOKEN_BYTES>()?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

/// SHA-256 of a text.
pub(crate) fn sha256(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}
