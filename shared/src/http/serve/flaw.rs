//! Requests that two readers could take for two different ones (RFC 9112 §11.2).

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, StatusCode, Version};

use crate::http::problem::Problem;

/// Why a request is refused before anybody else reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// A line of the head ends in LF without CR.
    #[error("a line of the head ends in a bare line feed")]
    BareLineFeed,
    /// Both `Content-Length` and `Transfer-Encoding`.
    #[error("the request has a length and a transfer coding")]
    LengthAndCoding,
    /// More than one `Content-Length`, equal or not.
    #[error("the request has several lengths")]
    RepeatedLength,
    /// A `Transfer-Encoding` that is not `chunked` alone.
    #[error("the request has another transfer coding than chunked")]
    Coding,
    /// HTTP/1.1 without `Host` (RFC 9112 §3.2).
    #[error("the request has no host")]
    NoHost,
    /// More than one `Host`, or one that is no host.
    #[error("the request has several hosts, or one that is none")]
    BadHost,
    /// A `Host` that is not that of the request's target.
    #[error("the request's target and its Host differ")]
    HostConflict,
    /// The head was not seen on its way, which a good one always is.
    #[error("the request's head could not be followed")]
    Unfollowed,
}

impl Flaw {
    /// A stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::BareLineFeed => "bare_line_feed",
            Self::LengthAndCoding => "length_and_coding",
            Self::RepeatedLength => "repeated_length",
            Self::Coding => "transfer_coding",
            Self::NoHost => "no_host",
            Self::BadHost => "bad_host",
            Self::HostConflict => "host_conflict",
            Self::Unfollowed => "unfollowed",
        }
    }

    /// The answer that says so: 400.
    pub fn problem(self) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "request_malformed", self.to_string())
    }

    /// What is wrong with a head as its headers show it.
    pub fn of(head: &Parts) -> Option<Self> {
        let codings = head.headers.get_all(TRANSFER_ENCODING);
        if codings.iter().count() > 1
            || codings
                .iter()
                .any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
        {
            return Some(Self::Coding);
        }
        if head.headers.get_all(CONTENT_LENGTH).iter().count() > 1 {
            return Some(Self::RepeatedLength);
        }
        Self::of_host(head)
    }

    fn of_host(head: &Parts) -> Option<Self> {
        let mut hosts = head.headers.get_all(HOST).iter();
        let (host, further) = (hosts.next(), hosts.next());
        let target = head.uri.authority().map(http::uri::Authority::as_str);
        match (host, target) {
            _ if further.is_some() => Some(Self::BadHost),
            (None, None) if head.version > Version::HTTP_10 => Some(Self::NoHost),
            (Some(host), _) if !is_host(host) => Some(Self::BadHost),
            (Some(host), Some(target)) if !is_same_host(host.as_bytes(), target, head.uri.scheme_str()) => {
                Some(Self::HostConflict)
            }
            _ => None,
        }
    }
}

/// RFC 9110 §7.2, without what a `reg-name` may hold beyond names that are in use. An empty one is allowed by the grammar, and
/// says nothing.
fn is_host(value: &HeaderValue) -> bool {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:[]".contains(byte);
    !value.is_empty() && value.as_bytes().iter().all(plain)
}

/// A target's name and password are none of the host, and the scheme's own port may be left out.
fn is_same_host(host: &[u8], target: &str, scheme: Option<&str>) -> bool {
    let target = target.rsplit_once('@').map_or(target, |(_, host)| host);
    let port: &[u8] = if scheme == Some("https") { b":443" } else { b":80" };
    let bare = |name: &[u8]| name.strip_suffix(port).unwrap_or(name).to_ascii_lowercase();
    bare(host) == bare(target.as_bytes())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn flaw(version: Version, target: &str, headers: &[(&str, &str)]) -> Option<Flaw> {
        let mut request = Request::builder().version(version).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Flaw::of(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_request_has_one_host_and_it_is_that_of_its_target() {
        let v11 = Version::HTTP_11;
        for (target, hosts, expected) in [
            ("/", &["a"][..], None),
            ("/", &["a.example:8080"], None),
            ("/", &["[::1]:8080"], None),
            ("/", &[], Some(Flaw::NoHost)),
            ("/", &[""], Some(Flaw::BadHost)),
            ("/", &["a", "a"], Some(Flaw::BadHost)),
            ("/", &["a, b"], Some(Flaw::BadHost)),
            ("/", &["a/b"], Some(Flaw::BadHost)),
            ("/", &["u@a"], Some(Flaw::BadHost)),
            ("http://a/", &["A:80"], None),
            ("http://u:p@a:80/", &["a"], None),
            ("https://a/", &["a:443"], None),
            ("http://a/", &["b"], Some(Flaw::HostConflict)),
            ("http://a:81/", &["a"], Some(Flaw::HostConflict)),
        ] {
            let headers: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(flaw(v11, target, &headers), expected, "{target} {hosts:?}");
        }
        assert_eq!(flaw(Version::HTTP_10, "/", &[]), None);
        assert_eq!(flaw(Version::HTTP_2, "https://a/", &[]), None);
        assert_eq!(
            flaw(Version::HTTP_2, "https://a/", &[("host", "b")]),
            Some(Flaw::HostConflict)
        );
    }

    #[test]
    fn chunked_is_the_only_coding() {
        for (codings, expected) in [
            (&["chunked"][..], None),
            (&["CHUNKED"], None),
            (&["identity, chunked"], Some(Flaw::Coding)),
            (&["gzip, chunked"], Some(Flaw::Coding)),
            (&["chunked", "chunked"], Some(Flaw::Coding)),
            (&["xchunked"], Some(Flaw::Coding)),
        ] {
            let mut headers = vec![("host", "a")];
            headers.extend(codings.iter().map(|coding| ("transfer-encoding", *coding)));
            assert_eq!(flaw(Version::HTTP_11, "/", &headers), expected, "{codings:?}");
        }
    }
}
