//! `RateLimit-Policy` and `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11): what is allowed, and what is left of it.

use std::fmt::Write as _;
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use super::limiter::{Exceeded, Standing};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Adds what `standings` say. An upstream's own words on its own limits stay.
///
/// A bucket of `burst` that fills in `w` seconds is a quota of `burst` in `w` seconds: what a client may count on.
pub(crate) fn advertise(standings: &[Standing], headers: &mut HeaderMap) {
    let (mut policy, mut limit) = (String::new(), String::new());
    for standing in standings {
        let comma = if policy.is_empty() { "" } else { ", " };
        let (name, quota) = (&standing.name, standing.quota);
        let (window, reset) = (whole_seconds(quota.fills_in()), whole_seconds(standing.reset_in));
        let written = write!(policy, r#"{comma}"{name}";q={};w={window}"#, quota.burst())
            .and_then(|()| write!(limit, r#"{comma}"{name}";r={};t={reset}"#, standing.remaining));
        if written.is_err() {
            return;
        }
    }
    for (name, value) in [(POLICY, policy), (LIMIT, limit)] {
        if let Some(value) = HeaderValue::try_from(value)
            .ok()
            .filter(|value| !value.is_empty())
        {
            headers.append(name, value);
        }
    }
}

impl Exceeded {
    /// Whole seconds after which to ask again.
    pub(crate) fn retry_after(&self) -> u32 {
        u32::try_from(whole_seconds(self.retry_in)).unwrap_or(u32::MAX)
    }
}

/// Rounded up: who comes back then is not early.
fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::super::Quota;
    use super::*;

    #[test]
    fn every_limit_is_told_with_its_quota_and_what_is_left() {
        let standing = |name: &str, limit, burst, remaining, millis| Standing {
            name: name.to_owned(),
            quota: Quota::parse(limit, Some(burst)).unwrap(),
            remaining,
            reset_in: Duration::from_millis(millis),
        };
        let mut headers = HeaderMap::new();

        advertise(&[], &mut headers);
        assert!(headers.is_empty());
        advertise(
            &[
                standing("sub 10/min", "10/min", 5, 4, 6_000),
                standing("address 100/s", "100/s", 100, 0, 10),
            ],
            &mut headers,
        );

        assert_eq!(
            headers[POLICY],
            r#""sub 10/min";q=5;w=30, "address 100/s";q=100;w=1"#
        );
        assert_eq!(headers[LIMIT], r#""sub 10/min";r=4;t=6, "address 100/s";r=0;t=1"#);
    }
}
