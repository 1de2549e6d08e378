//! Bearer tokens in requests, and the answers to those that are refused (RFC 6750).

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, StatusCode};

use super::problem::Problem;
use crate::token::Refusal;

/// The request's credentials cannot be told apart or are not of the form `Bearer token`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the request's Authorization is not a single bearer token")]
pub struct MalformedAuthorization;

/// The stable code of [`MalformedAuthorization`].
pub const AUTHORIZATION_MALFORMED: &str = "authorization_malformed";

/// The request's bearer token, if it has any `Authorization` at all.
///
/// Several `Authorization` headers are malformed: another reader might look at another one.
pub fn bearer_token(headers: &HeaderMap) -> Result<Option<&str>, MalformedAuthorization> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(MalformedAuthorization);
    }
    // What no token holds is found a word at a time: this is done for every request.
    let bytes = value.as_bytes();
    let text = std::str::from_utf8(bytes).ok().filter(|_| bytes.is_ascii());
    let (scheme, token) = text
        .and_then(|text| text.split_once(' '))
        .ok_or(MalformedAuthorization)?;
    // RFC 9110 §11.1: schemes are compared without regard to case.
    let is_several = memchr::memchr3(b' ', b',', b'\t', token.as_bytes()).is_some();
    if !scheme.eq_ignore_ascii_case("bearer") || token.is_empty() || is_several {
        return Err(MalformedAuthorization);
    }
    Ok(Some(token))
}

/// 401 to a request without credentials: the challenge carries no error code (RFC 6750 §3.1).
pub fn missing_token() -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        "token_missing",
        "this needs a bearer token",
    )
    .with_challenge(&HeaderValue::from_static(r#"Bearer realm="gatelog""#))
}

/// 401 to malformed credentials.
pub fn malformed_authorization(error: MalformedAuthorization) -> Problem {
    Problem::new(
        StatusCode::UNAUTHORIZED,
        AUTHORIZATION_MALFORMED,
        error.to_string(),
    )
    .with_challenge(&HeaderValue::from_static(
        r#"Bearer realm="gatelog", error="invalid_token""#,
    ))
}

/// The answer to a refused token: 401, or 503 where the token may be good but cannot be decided on.
pub fn refused_token(refusal: Refusal) -> Problem {
    if refusal.is_ours() {
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            refusal.code(),
            refusal.to_string(),
        );
        return problem.retry_after(RETRY_SECONDS);
    }
    if matches!(refusal, Refusal::SubjectBlocked | Refusal::SessionBlocked) {
        // Another token of the same would not help.
        return Problem::new(StatusCode::FORBIDDEN, refusal.code(), refusal.to_string());
    }
    let challenge = if refusal == Refusal::ReauthenticationRequired {
        // RFC 9470 §3: no sign-in of before is recent enough. Who has a second factor is asked for it at every sign-in.
        r#"Bearer realm="gatelog", error="insufficient_user_authentication", max_age="0""#
    } else {
        r#"Bearer realm="gatelog", error="invalid_token""#
    };
    Problem::new(StatusCode::UNAUTHORIZED, refusal.code(), refusal.to_string())
        .with_challenge(&HeaderValue::from_static(challenge))
}

/// 403 to a token that is good for less than what was asked (RFC 6750 §3.1). `scope` is what would do, if scopes decide.
pub fn insufficient_scope(detail: String, scope: Option<&str>) -> Problem {
    let challenge = match scope {
        Some(scope) => format!(r#"Bearer realm="gatelog", error="insufficient_scope", scope="{scope}""#),
        None => r#"Bearer realm="gatelog", error="insufficient_scope""#.to_owned(),
    };
    let problem = Problem::new(StatusCode::FORBIDDEN, "insufficient_scope", detail);
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with_challenge(&challenge),
        Err(_) => problem,
    }
}

/// 401 to a token of a sign-in that is too long ago or proved too little (RFC 9470 §3). `max_age` is in seconds; `acr_values` is what
/// a user who can should be asked for.
pub fn insufficient_authentication(
    code: &'static str,
    detail: String,
    max_age: u64,
    acr_values: &str,
) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, code, detail);
    let challenge = format!(
        r#"Bearer realm="gatelog", error="insufficient_user_authentication", max_age="{max_age}", acr_values="{acr_values}""#
    );
    match HeaderValue::from_str(&challenge) {
        Ok(challenge) => problem.with_challenge(&challenge),
        Err(_) => problem,
    }
}

/// Keys and revocations are asked for every second, so a second is when to try again.
const RETRY_SECONDS: u32 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(values: &[&str]) -> HeaderMap {
        values
            .iter()
            .map(|value| (AUTHORIZATION, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect()
    }

    #[test]
    fn the_scheme_is_read_without_regard_to_case() {
        assert_eq!(bearer_token(&headers(&["bEaReR abc"])), Ok(Some("abc")));
    }

    #[test]
    fn no_header_is_no_token() {
        assert_eq!(bearer_token(&headers(&[])), Ok(None));
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for values in [
            &["Bearer a", "Bearer b"][..],
            &["Bearer"],
            &["Bearer "],
            &["Basic abc"],
            &["Bearer a b"],
            &["Bearer a,b"],
            &["Bearer a\tb"],
            &["Bearer ä"],
        ] {
            assert_eq!(
                bearer_token(&headers(values)),
                Err(MalformedAuthorization),
                "{values:?}"
            );
        }
    }
}
