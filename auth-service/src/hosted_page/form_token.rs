//! The proof that a form was filled in on a page that this browser got from here, for this very request. Pure.
//!
//! It is an HMAC over the purpose, the browser's own secret, the request and the time. A page of somebody else can neither
//! read nor guess one, so that it can send no form in a user's name, nor sign a user in as somebody else.

use std::fmt;
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::UtcMicros;

use shared::sealing::{MasterKey, Underivable};

/// What the key is derived for.
const PURPOSE: &str = "gatelog forms v1";

/// How long a page may stay open.
const LIFETIME: Duration = Duration::from_hours(1);

const TIME_BYTES: usize = 8;

/// The key that proves forms.
pub(crate) struct FormTokenKey(hmac::Key);

/// What a form is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum FormPurpose<'a> {
    SignIn,
    SecondFactor,
    /// Of the user of that id.
    Password(&'a str),
    /// Of the browser session of that id.
    Consent(&'a str),
    /// Of the browser session of that id.
    SignOut(&'a str),
}

impl FormPurpose<'_> {
    const fn parts(&self) -> (&'static str, &str) {
        match self {
            Self::SignIn => ("sign-in", ""),
            Self::SecondFactor => ("second-factor", ""),
            Self::Password(user) => ("password", user),
            Self::Consent(session) => ("consent", session),
            Self::SignOut(session) => ("sign-out", session),
        }
    }
}

impl FormTokenKey {
    pub(crate) fn new(master_key: &MasterKey) -> Result<Self, Underivable> {
        let key = master_key.derive(PURPOSE)?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, key.as_slice())))
    }

    /// A token for the browser with that secret.
    pub(crate) fn issue(
        &self,
        purpose: &FormPurpose<'_>,
        browser: &str,
        query: &str,
        now: UtcMicros,
    ) -> String {
        let time = now.as_seconds().to_be_bytes();
        let mac = hmac::sign(&self.0, &message(purpose, browser, query, time));
        URL_SAFE_NO_PAD.encode([time.as_slice(), mac.as_ref()].concat())
    }

    /// Whether a token was issued for exactly this, not too long ago.
    pub(crate) fn accepts(
        &self,
        token: &str,
        purpose: &FormPurpose<'_>,
        (browser, query): (&str, &str),
        now: UtcMicros,
    ) -> bool {
        let Ok(bytes) = URL_SAFE_NO_PAD.decode(token) else {
            return false;
        };
        let Some((time, mac)) = bytes.split_first_chunk::<TIME_BYTES>() else {
            return false;
        };
        let age = now.as_seconds().saturating_sub(i64::from_be_bytes(*time));
        let is_recent = u64::try_from(age).is_ok_and(|age| age <= LIFETIME.as_secs());
        is_recent && hmac::verify(&self.0, &message(purpose, browser, query, *time), mac).is_ok()
    }
}

impl fmt::Debug for FormTokenKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FormTokenKey(…)")
    }
}

/// Each part with its length before it, so that nothing can move from one to the next.
fn message(purpose: &FormPurpose<'_>, browser: &str, query: &str, time: [u8; TIME_BYTES]) -> Vec<u8> {
    let (kind, session) = purpose.parts();
    let mut message = time.to_vec();
    for part in [kind, session, browser, query] {
        message.extend_from_slice(&(part.len() as u64).to_be_bytes());
        message.extend_from_slice(part.as_bytes());
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(10_000);

    fn key() -> FormTokenKey {
        FormTokenKey::new(&"ab".repeat(32).parse().unwrap()).unwrap()
    }

    #[test]
    fn a_token_is_good_for_its_own_form_browser_and_request() {
        let consent = FormPurpose::Consent("bse_1");
        let token = key().issue(&consent, "browser", "a=b", NOW);

        assert!(key().accepts(&token, &consent, ("browser", "a=b"), NOW));
        for (purpose, browser, query) in [
            (FormPurpose::SignIn, "browser", "a=b"),
            (FormPurpose::SecondFactor, "browser", "a=b"),
            (FormPurpose::SignOut("bse_1"), "browser", "a=b"),
            (FormPurpose::Consent("bse_2"), "browser", "a=b"),
            (consent, "other", "a=b"),
            (consent, "browser", "a=c"),
            (consent, "browsera", "=b"),
        ] {
            assert!(
                !key().accepts(&token, &purpose, (browser, query), NOW),
                "{purpose:?} {browser} {query}"
            );
        }
    }

    #[test]
    fn a_token_is_good_for_an_hour_and_not_before_it_was_issued() {
        let token = key().issue(&FormPurpose::SignIn, "b", "", NOW);
        let good = |seconds| {
            key().accepts(
                &token,
                &FormPurpose::SignIn,
                ("b", ""),
                UtcMicros::from_seconds(seconds),
            )
        };

        assert!(good(10_000 + 3600));
        assert!(!good(10_000 + 3601));
        assert!(!good(9_999));
        for wrong in ["", "x", "AAAA", &token[1..]] {
            assert!(
                !key().accepts(wrong, &FormPurpose::SignIn, ("b", ""), NOW),
                "{wrong}"
            );
        }
    }
}
