//! The refresh token: which session, which one in its row, and a proof that this service wrote it. Pure.
//!
//! `rt_` and base64url of version ‖ session ‖ counter ‖ HMAC-SHA-256. The HMAC covers the rest and the session's random
//! seed: neither the database nor the master key alone is enough to forge one, and none is stored.

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use uuid::{Builder, Uuid};

use shared::sealing::{MasterKey, Underivable};

/// What the key is derived for. A change ends all sessions.
const PURPOSE: &str = "gatelog refresh tokens v1";

const PREFIX: &str = "rt_";
const SESSION_PREFIX: &str = "ses_";
const VERSION: u8 = 1;
const SESSION_BYTES: usize = 16;
const COUNTER_BYTES: usize = 8;
const HEAD_BYTES: usize = 1 + SESSION_BYTES + COUNTER_BYTES;
const MAC_BYTES: usize = 32;

/// The key that proves refresh tokens.
pub(crate) struct RefreshTokenKey(hmac::Key);

impl RefreshTokenKey {
    pub(crate) fn new(master_key: &MasterKey) -> Result<Self, Underivable> {
        let key = master_key.derive(PURPOSE)?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, key.as_slice())))
    }
}

impl fmt::Debug for RefreshTokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("RefreshTokenKey(…)")
    }
}

/// A token of a session, without its proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RefreshToken {
    session: Uuid,
    pub(super) counter: u64,
}

/// A token as it was presented: nothing in it is believed before [`Unverified::verify`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unverified {
    token: RefreshToken,
    mac: [u8; MAC_BYTES],
}

impl RefreshToken {
    /// The first token of a new session, and the session's id.
    pub(super) fn first(random: [u8; SESSION_BYTES]) -> (Self, String) {
        let token = Self {
            session: Builder::from_random_bytes(random).into_uuid(),
            counter: 1,
        };
        (token, token.session_id())
    }

    /// The id of its session.
    pub(super) fn session_id(&self) -> String {
        format!("{SESSION_PREFIX}{}", self.session.simple())
    }

    /// The token of the same session with another counter.
    pub(super) const fn with_counter(self, counter: u64) -> Self {
        Self { counter, ..self }
    }

    /// The token as the client gets it: the same whenever it is made.
    pub(super) fn encode(&self, key: &RefreshTokenKey, seed: &[u8]) -> String {
        let head = self.head();
        let mut bytes = head.to_vec();
        bytes.extend_from_slice(mac_of(key, &head, seed).as_ref());
        format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes))
    }

    fn head(self) -> [u8; HEAD_BYTES] {
        let mut head = [VERSION; HEAD_BYTES];
        let (_, rest) = head.split_at_mut(1);
        let (session, counter) = rest.split_at_mut(SESSION_BYTES);
        session.copy_from_slice(self.session.as_bytes());
        counter.copy_from_slice(&self.counter.to_be_bytes());
        head
    }
}

impl Unverified {
    /// Takes a presented token apart; `None` if it is of another form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        // The longest that could be one; a longer text is not decoded.
        let encoded = text.strip_prefix(PREFIX)?;
        if encoded.len() != (HEAD_BYTES + MAC_BYTES).div_ceil(3) * 4 {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(encoded).ok()?;
        let (version, rest) = bytes.split_first()?;
        let (session, rest) = rest.split_first_chunk::<SESSION_BYTES>()?;
        let (counter, mac) = rest.split_first_chunk::<COUNTER_BYTES>()?;
        (*version == VERSION).then_some(Self {
            token: RefreshToken {
                session: Uuid::from_bytes(*session),
                counter: u64::from_be_bytes(*counter),
            },
            mac: mac.try_into().ok()?,
        })
    }

    /// The session it names, to look up the seed that proves it.
    pub(super) fn session_id(&self) -> String {
        self.token.session_id()
    }

    /// The token, if this service wrote it for the session with that seed. Compares in constant time.
    pub(super) fn verify(&self, key: &RefreshTokenKey, seed: &[u8]) -> Option<RefreshToken> {
        let mut message = self.token.head().to_vec();
        message.extend_from_slice(seed);
        hmac::verify(&key.0, &message, &self.mac)
            .is_ok()
            .then_some(self.token)
    }
}

fn mac_of(key: &RefreshTokenKey, head: &[u8], seed: &[u8]) -> hmac::Tag {
    let mut message = head.to_vec();
    message.extend_from_slice(seed);
    hmac::sign(&key.0, &message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SEED: [u8; 32] = [7; 32];

    fn key(digit: char) -> RefreshTokenKey {
        RefreshTokenKey::new(&digit.to_string().repeat(64).parse().unwrap()).unwrap()
    }

    fn token(session: u128, counter: u64) -> RefreshToken {
        RefreshToken {
            session: Uuid::from_u128(session),
            counter,
        }
    }

    #[test]
    fn the_first_token_of_a_session_names_it() {
        let (first, session_id) = RefreshToken::first([1; 16]);

        assert_eq!(first.counter, 1);
        assert!(session_id.starts_with("ses_"));
        let parsed = Unverified::parse(&first.encode(&key('a'), &SEED)).unwrap();
        assert_eq!(parsed.session_id(), session_id);
    }

    #[test]
    fn what_has_another_form_is_no_token() {
        let encoded = token(1, 1).encode(&key('a'), &SEED);
        for wrong in [
            "",
            "rt_",
            "rt_AAAA",
            &encoded[3..],
            &encoded[..encoded.len() - 1],
            &format!("{encoded}A"),
            &encoded.replace("rt_", "at_"),
        ] {
            assert_eq!(Unverified::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn a_token_is_read_back_and_always_the_same(session: u128, counter: u64, seed: [u8; 32]) {
            let encoded = token(session, counter).encode(&key('a'), &seed);

            prop_assert_eq!(&encoded, &token(session, counter).encode(&key('a'), &seed));
            let parsed = Unverified::parse(&encoded).unwrap();
            prop_assert_eq!(parsed.verify(&key('a'), &seed), Some(token(session, counter)));
        }

        #[test]
        fn another_key_another_seed_or_a_changed_byte_proves_nothing(
            session: u128,
            counter: u64,
            position in 0_usize..(HEAD_BYTES + MAC_BYTES),
            flip in 1_u8..,
        ) {
            let encoded = token(session, counter).encode(&key('a'), &SEED);
            let mut bytes = URL_SAFE_NO_PAD.decode(&encoded[3..]).unwrap();
            bytes[position] ^= flip;
            let changed = format!("rt_{}", URL_SAFE_NO_PAD.encode(bytes));

            let parsed = Unverified::parse(&encoded).unwrap();
            prop_assert_eq!(parsed.verify(&key('b'), &SEED), None);
            prop_assert_eq!(parsed.verify(&key('a'), &[8; 32]), None);
            let changed = Unverified::parse(&changed).and_then(|changed| changed.verify(&key('a'), &SEED));
            prop_assert_eq!(changed, None);
        }

        #[test]
        fn no_text_makes_the_parser_fail_otherwise_than_by_refusing(text in "(rt_)?[A-Za-z0-9_-]{0,100}") {
            let parsed = Unverified::parse(&text);
            prop_assert!(parsed.is_none_or(|parsed| parsed.verify(&key('a'), &SEED).is_none()));
        }
    }
}
