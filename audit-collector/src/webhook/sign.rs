//! The signature of a message (Standard Webhooks 1.0): HMAC-SHA-256 over its id, its time and its body. Pure.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use shared::clock::UtcMicros;

/// What secrets begin with.
const PREFIX: &str = "whsec_";

/// Bytes that a secret may have.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What both sides know. Never shown.
#[derive(Clone)]
pub struct Secret(Key);

/// Not a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `whsec_` with 24 to 64 bytes in base64 behind it")]
pub struct InvalidSecret;

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

impl FromStr for Secret {
    type Err = InvalidSecret;

    fn from_str(text: &str) -> Result<Self, InvalidSecret> {
        let encoded = text.strip_prefix(PREFIX).ok_or(InvalidSecret)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| InvalidSecret)?;
        if !BYTES.contains(&bytes.len()) {
            return Err(InvalidSecret);
        }
        Ok(Self(Key::new(HMAC_SHA256, &bytes)))
    }
}

impl Secret {
    /// The value of `webhook-signature` for a message.
    pub fn signature(&self, id: &str, time: UtcMicros, body: &[u8]) -> String {
        let mut signed = format!("{id}.{}.", time.as_seconds()).into_bytes();
        signed.extend_from_slice(body);
        format!("v1,{}", STANDARD.encode(sign(&self.0, &signed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_that_of_the_specification_s_example() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();

        let signature = secret.signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            UtcMicros::from_seconds(1_614_265_330),
            br#"{"test": 2432232314}"#,
        );

        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused_and_none_is_shown() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_c2hvcnQ=",
            "whsec_!",
        ] {
            assert_eq!(text.parse::<Secret>().err(), Some(InvalidSecret), "{text}");
        }
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
