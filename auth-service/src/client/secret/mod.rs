//! Secrets of clients: random, recognisable, kept as their hash, and each with an end.

pub(crate) mod store;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use shared::clock::UtcMicros;

use super::registration::check_name;
use crate::error::ApiError;
use crate::secret::{NoRandomness, fresh_bytes};
pub(crate) use store::Secret;

/// What the secrets of clients begin with, for people and for secret scanners.
pub(crate) const CLIENT_PREFIX: &str = "gls_";

/// What the secrets of API keys begin with.
pub(crate) const KEY_PREFIX: &str = "glk_";

const RANDOM_BYTES: usize = 32;
const CHECKSUM_BYTES: usize = 4;

/// The polynomial of CRC-32 (ISO-HDLC), reflected.
const POLYNOMIAL: u32 = 0xedb8_8320;

/// How long a secret is good if nobody says, in days.
pub(crate) const EXPIRES_IN_DAYS_DEFAULT: u16 = 90;

/// How long at most: what nobody ever changes is known to ever more people.
const EXPIRES_IN_DAYS_MAX: u16 = 366;

/// A secret that somebody wants to be made.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    pub(crate) expires_in_days: u16,
}

impl Wanted {
    /// When it ends, if it may be made.
    pub(crate) fn check(&self, now: UtcMicros) -> Result<UtcMicros, ApiError> {
        check_name(&self.name)?;
        if !(1..=EXPIRES_IN_DAYS_MAX).contains(&self.expires_in_days) {
            return Err(ApiError::BodyInvalid("a secret is good for 1 to 366 days".into()));
        }
        Ok(now.plus(Duration::from_hours(24 * u64::from(self.expires_in_days))))
    }
}

/// The id of a secret, which tells nothing of it.
pub(crate) fn fresh_id() -> String {
    format!("sec_{}", uuid::Uuid::new_v4().simple())
}

/// A fresh secret of 256 bits: a prefix, and base64url of the bits and their CRC-32, so that a scanner knows one when it
/// sees one and asks nobody.
pub(crate) fn fresh(prefix: &str) -> Result<String, NoRandomness> {
    Ok(encode(prefix, &fresh_bytes::<RANDOM_BYTES>()?))
}

fn encode(prefix: &str, random: &[u8; RANDOM_BYTES]) -> String {
    let mut bytes = random.to_vec();
    bytes.extend_from_slice(&crc32(random).to_be_bytes());
    format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes))
}

/// Whether a text could be a secret at all. What could not is not looked up.
pub(super) fn is_well_formed(text: &str) -> bool {
    let encoded = text
        .strip_prefix(CLIENT_PREFIX)
        .or_else(|| text.strip_prefix(KEY_PREFIX));
    let Some(encoded) = encoded.filter(|text| text.len() == (RANDOM_BYTES + CHECKSUM_BYTES) / 3 * 4) else {
        return false;
    };
    let Ok(bytes) = URL_SAFE_NO_PAD.decode(encoded) else {
        return false;
    };
    bytes
        .split_first_chunk::<RANDOM_BYTES>()
        .is_some_and(|(random, checksum)| checksum == crc32(random).to_be_bytes())
}

fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| (crc >> 1) ^ (POLYNOMIAL & (crc & 1).wrapping_neg());
    !bytes
        .iter()
        .fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_that_of_the_standard() {
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
    }

    #[test]
    fn a_secret_is_known_by_its_form_and_a_mistyped_one_is_not() {
        let secret = encode(CLIENT_PREFIX, &[7; RANDOM_BYTES]);

        assert_eq!(secret.len(), 52);
        assert!(is_well_formed(&secret));
        assert!(is_well_formed(&encode(KEY_PREFIX, &[0; RANDOM_BYTES])));
        for wrong in [
            secret.replacen("Bw", "Bx", 1),
            secret.replace(CLIENT_PREFIX, "pw_"),
            format!("{secret}A"),
            secret.to_uppercase(),
            String::new(),
        ] {
            assert!(!is_well_formed(&wrong), "{wrong}");
        }
    }
}
