//! How a client says who it is, in one of the ways of RFC 6749 §2.3 and RFC 7523 §2.2. Pure.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use shared::token::unverified_subject;
use zeroize::Zeroizing;

use super::assertion;
use crate::token::{Form, OAuthError};

/// What a client presents. Nothing in it is proven.
#[derive(PartialEq, Eq)]
pub(super) enum Presented {
    /// Nothing at all.
    Nothing,
    /// An id without a proof, as public clients do.
    Id(String),
    /// An id and a secret.
    Secret {
        id: String,
        secret: Zeroizing<String>,
        method: &'static str,
    },
    /// An assertion, and whom it names.
    Assertion { id: String, assertion: String },
}

impl fmt::Debug for Presented {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self {
            Self::Nothing => "Nothing",
            Self::Id(_) => "Id(…)",
            Self::Secret { .. } => "Secret(…)",
            Self::Assertion { .. } => "Assertion(…)",
        };
        formatter.write_str(kind)
    }
}

/// What a request presents, in exactly one way (RFC 6749 §2.3).
pub(super) fn presented(headers: &HeaderMap, form: &Form) -> Result<Presented, OAuthError> {
    let has_header = headers.contains_key(AUTHORIZATION);
    let secret = form.get("client_secret");
    let assertion = form.get("client_assertion");
    let has_assertion = assertion.is_some() || form.get("client_assertion_type").is_some();
    if [has_header, secret.is_some(), has_assertion]
        .into_iter()
        .filter(|is| *is)
        .count()
        > 1
    {
        return Err(OAuthError::InvalidRequest(
            "a client authenticates in one way at a time",
        ));
    }
    let id = form.get("client_id");
    let presented = if has_header {
        basic(headers).ok_or(OAuthError::InvalidClient)?
    } else if let Some(secret) = secret {
        Presented::Secret {
            id: id.ok_or(OAuthError::InvalidClient)?.to_owned(),
            secret: secret.to_owned().into(),
            method: "client_secret_post",
        }
    } else if has_assertion {
        signed(form.get("client_assertion_type"), assertion).ok_or(OAuthError::InvalidClient)?
    } else {
        id.map_or(Presented::Nothing, |id| Presented::Id(id.to_owned()))
    };
    match (&presented, id) {
        (Presented::Secret { id: own, .. } | Presented::Assertion { id: own, .. }, Some(id)) if own != id => {
            Err(OAuthError::InvalidRequest(
                "client_id names another client than the credentials",
            ))
        }
        _ => Ok(presented),
    }
}

/// Id and secret are each form-url-encoded before they are joined (RFC 6749 §2.3.1).
fn basic(headers: &HeaderMap) -> Option<Presented> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, encoded) = value.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (id, secret) = std::str::from_utf8(&joined).ok()?.split_once(':')?;
    Some(Presented::Secret {
        id: form_decoded(id).filter(|id| !id.is_empty())?,
        secret: form_decoded(secret)?.into(),
        method: "client_secret_basic",
    })
}

fn form_decoded(text: &str) -> Option<String> {
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)?,
            plain => plain,
        });
    }
    std::str::from_utf8(&decoded).ok().map(str::to_owned)
}

fn hex_digit(byte: u8) -> Option<u8> {
    let digit = char::from(byte).to_digit(16)?;
    u8::try_from(digit).ok()
}

fn signed(assertion_type: Option<&str>, assertion: Option<&str>) -> Option<Presented> {
    if assertion_type != Some(assertion::TYPE) {
        return None;
    }
    let assertion = assertion?;
    Some(Presented::Assertion {
        id: unverified_subject(assertion)?,
        assertion: assertion.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn basic_header(joined: &str) -> HeaderMap {
        let value = HeaderValue::try_from(format!("Basic {}", STANDARD.encode(joined))).unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    fn secret(id: &str, secret: &str, method: &'static str) -> Presented {
        Presented::Secret {
            id: id.to_owned(),
            secret: secret.to_owned().into(),
            method,
        }
    }

    #[test]
    fn basic_is_form_url_decoded_after_base64() {
        let none = Form::of(&[]);
        for (joined, id, plain) in [
            ("a:b", "a", "b"),
            ("a%3Ab:c%3Ad", "a:b", "c:d"),
            ("a:b:c", "a", "b:c"),
            ("a%2Bb:c%2Bd", "a+b", "c+d"),
            ("a+b:c+d", "a b", "c d"),
            ("a%25b:100%25", "a%b", "100%"),
            ("%EC%9D%B4%EB%A6%84:%C3%A4%E2%82%AC", "이름", "ä€"),
            ("a:", "a", ""),
        ] {
            let found = presented(&basic_header(joined), &none).unwrap();
            assert!(found == secret(id, plain, "client_secret_basic"), "{joined}");
        }
    }

    #[test]
    fn what_is_no_basic_is_no_client() {
        for joined in ["a", ":b", "a%:b", "a:%zz", "a:%e2%82", "a:%+1"] {
            let refused = presented(&basic_header(joined), &Form::of(&[]));
            assert!(matches!(refused, Err(OAuthError::InvalidClient)), "{joined}");
        }
        for value in ["Bearer abc", "Basic", "Basic !", "basic"] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(value))]);
            let refused = presented(&headers, &Form::of(&[]));
            assert!(matches!(refused, Err(OAuthError::InvalidClient)), "{value}");
        }
        let mut twice = basic_header("a:b");
        twice.append(AUTHORIZATION, HeaderValue::from_static("Basic YTpi"));
        assert!(presented(&twice, &Form::of(&[])).is_err());
    }

    #[test]
    fn a_client_authenticates_in_one_way_at_a_time() {
        let post = Form::of(&[("client_id", "a"), ("client_secret", "b")]);
        let both = Form::of(&[
            ("client_id", "a"),
            ("client_secret", "b"),
            ("client_assertion", "x.y.z"),
        ]);
        let typed = Form::of(&[("client_assertion_type", assertion::TYPE)]);

        assert!(presented(&HeaderMap::new(), &post).unwrap() == secret("a", "b", "client_secret_post"));
        for (headers, form) in [
            (basic_header("a:b"), &post),
            (HeaderMap::new(), &both),
            (basic_header("a:b"), &typed),
        ] {
            let refused = presented(&headers, form);
            assert!(matches!(refused, Err(OAuthError::InvalidRequest(_))));
        }
    }

    #[test]
    fn a_client_id_beside_the_credentials_names_the_same_client() {
        let same = Form::of(&[("client_id", "a")]);
        let other = Form::of(&[("client_id", "b")]);

        assert!(presented(&basic_header("a:s"), &same).is_ok());
        assert!(matches!(
            presented(&basic_header("a:s"), &other),
            Err(OAuthError::InvalidRequest(_))
        ));
    }

    #[test]
    fn an_id_alone_and_nothing_at_all_prove_nothing() {
        let id = Form::of(&[("client_id", "a")]);

        assert!(presented(&HeaderMap::new(), &id).unwrap() == Presented::Id("a".into()));
        assert!(presented(&HeaderMap::new(), &Form::of(&[])).unwrap() == Presented::Nothing);
    }
}
