//! Codes of an authenticator app (RFC 6238): HMAC-SHA-1, six digits, thirty seconds, one step of drift to either side. What every
//! app can do, and what some apps do whatever they are told. Pure.

use shared::clock::UtcMicros;
use totp_rs::{Algorithm, Builder, TotpError};
use url::{Host, Url};
use zeroize::Zeroizing;

/// Bytes of a secret: as many as SHA-1 gives (RFC 4226 §4).
pub(super) const SECRET_BYTES: usize = 20;

/// The longest name of the service in an app, in bytes.
const ISSUER_BYTES_MAX: usize = 64;

/// No codes can be made of a secret, or no label of a name. What the library says of it could hold either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no authenticator can be made of a secret and a name")]
pub(crate) struct Unusable;

impl From<TotpError> for Unusable {
    fn from(_: TotpError) -> Self {
        Self
    }
}

/// A secret as its user takes it into an app.
pub(super) struct Provision {
    /// In base 32, to be typed.
    pub(super) secret: Zeroizing<String>,
    /// `otpauth://…`, to be shown as a QR code.
    pub(super) uri: Zeroizing<String>,
}

/// What an app is told.
pub(super) fn provision(secret: &[u8], issuer: &str, username: &str) -> Result<Provision, Unusable> {
    let totp = builder(secret)
        .with_issuer(Some(shown_issuer(issuer)))
        .with_account_name(username)
        .build()?;
    Ok(Provision {
        secret: Zeroizing::new(totp.secret().to_base32()),
        uri: Zeroizing::new(totp.to_url()?),
    })
}

/// The time step whose code was typed, if it is the present one or one of its neighbours. Compares in constant time.
pub(super) fn step_of(secret: &[u8], typed: &str, now: UtcMicros) -> Result<Option<i64>, Unusable> {
    let totp = builder(secret).build()?;
    // Apps show the digits in two groups.
    let digits: Zeroizing<String> = Zeroizing::new(typed.chars().filter(|c| *c != ' ').collect());
    let Ok(seconds) = u64::try_from(now.as_seconds()) else {
        return Ok(None);
    };
    let step = totp.check(&digits, seconds);
    Ok(step.and_then(|step| i64::try_from(step).ok()))
}

/// Six digits, SHA-1, thirty seconds and one step of drift are the library's defaults; said here, since a change would make every
/// authenticator wrong.
fn builder(secret: &[u8]) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(30)
        .with_skew(1)
        .with_secret(secret.to_vec())
}

/// The host of the issuer, by which people know the service; a label must not have a colon.
fn shown_issuer(issuer: &str) -> String {
    let url = Url::parse(issuer).ok();
    let host = url.as_ref().and_then(Url::host).map(|host| match host {
        Host::Domain(name) => name.to_owned(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(_) => String::new(),
    });
    host.filter(|host| (1..=ISSUER_BYTES_MAX).contains(&host.len()))
        .unwrap_or_else(|| "Gatelog".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> UtcMicros {
        UtcMicros::from_seconds(seconds)
    }

    /// RFC 6238 appendix B, whose codes of eight digits end with those of six.
    #[test]
    fn codes_are_those_of_the_specification() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(SECRET, code, at(seconds)).unwrap(), Some(seconds / 30));
        }
    }

    #[test]
    fn one_step_of_drift_is_taken_and_two_are_not() {
        for (seconds, is_taken) in [
            (0, false),
            (29, false),
            (30, true),
            (60, true),
            (119, true),
            (120, false),
        ] {
            // The code of the third step, from 60 to 89.
            let code = "359152";
            let step = step_of(SECRET, code, at(seconds)).unwrap();
            assert_eq!(step, is_taken.then_some(2), "{seconds}");
        }
    }

    #[test]
    fn only_six_digits_are_a_code() {
        assert_eq!(step_of(SECRET, "287 082", at(59)).unwrap(), Some(1));
        for typed in [
            "",
            "28708",
            "2870820",
            "+87082",
            "28708a",
            "２８７０８２",
            "287\t082",
        ] {
            assert_eq!(step_of(SECRET, typed, at(59)).unwrap(), None, "{typed}");
        }
        assert_eq!(step_of(SECRET, "287082", at(-1)).unwrap(), None);
    }

    #[test]
    fn an_app_is_told_whose_code_it_is_and_for_what() {
        for (issuer, shown) in [
            ("https://gate.example/auth", "gate.example"),
            ("http://127.0.0.1:8080", "127.0.0.1"),
            ("http://[::1]:8080", "Gatelog"),
            ("nonsense", "Gatelog"),
        ] {
            let provision = provision(SECRET, issuer, "alice+b@x").unwrap();
            assert_eq!(
                provision.uri.as_str(),
                format!(
                    "otpauth://totp/{shown}:alice%2Bb%40x?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer={shown}"
                )
            );
            assert_eq!(provision.secret.as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        }
    }
}
