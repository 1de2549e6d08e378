//! Proof Key for Code Exchange (RFC 7636), S256 only: with `plain` the challenge in the address is the secret itself. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use subtle::ConstantTimeEq as _;

use crate::secret::sha256;

/// The one method.
pub(crate) const METHOD: &str = "S256";

/// Characters of base64url that 32 bytes have.
const CHALLENGE_LENGTH: usize = 43;

/// Whether a text can be the SHA-256 of a verifier.
pub(super) fn is_challenge(text: &str) -> bool {
    text.len() == CHALLENGE_LENGTH && URL_SAFE_NO_PAD.decode(text).is_ok()
}

/// Whether the challenge was made from `verifier`.
pub(super) fn proves(challenge: &str, verifier: &str) -> bool {
    let made = URL_SAFE_NO_PAD.encode(sha256(verifier));
    is_verifier(verifier) && bool::from(made.as_bytes().ct_eq(challenge.as_bytes()))
}

/// RFC 7636 §4.1: 43 to 128 unreserved characters.
fn is_verifier(text: &str) -> bool {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    (43..=128).contains(&text.len()) && text.bytes().all(is_unreserved)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    #[test]
    fn the_verifier_of_the_rfc_proves_its_challenge_and_nothing_else_does() {
        assert!(is_challenge(CHALLENGE));
        assert!(proves(CHALLENGE, VERIFIER));
        assert!(!proves(CHALLENGE, CHALLENGE));
        assert!(!proves(CHALLENGE, &VERIFIER.replace('d', "e")));
        assert!(!proves(CHALLENGE, ""));
    }

    #[test]
    fn a_verifier_that_could_be_guessed_proves_nothing() {
        for wrong in [
            "a",
            &"a".repeat(42),
            &"a".repeat(129),
            &"ä".repeat(43),
            &" ".repeat(43),
        ] {
            assert!(!proves(&URL_SAFE_NO_PAD.encode(sha256(wrong)), wrong), "{wrong}");
        }
    }

    #[test]
    fn what_is_no_sha_256_is_no_challenge() {
        for wrong in [
            "",
            "x",
            &format!("{CHALLENGE}="),
            &CHALLENGE.replace('-', "+"),
            &CHALLENGE.replace('E', "é"),
        ] {
            assert!(!is_challenge(wrong), "{wrong}");
        }
    }
}
