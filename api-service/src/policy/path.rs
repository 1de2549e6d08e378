//! One spelling for every path, so that a rule and an upstream cannot understand it differently.

use std::fmt::Write as _;

/// The longest path, in bytes.
const PATH_BYTES_MAX: usize = 4096;

/// Why a path is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathRefusal {
    /// Longer than 4096 bytes.
    #[error("the path is too long")]
    TooLong,
    /// It does not begin with `/`.
    #[error("the path does not begin with /")]
    Relative,
    /// A `%` without two hexadecimal digits, or a byte that a path cannot hold.
    #[error("the path is not validly encoded")]
    BadEncoding,
    /// An encoded slash, backslash or control character, or a plain backslash: upstreams disagree on what they mean.
    #[error(
        "the path holds a slash, backslash or control character in a form that upstreams read differently"
    )]
    Ambiguous,
    /// A segment `.` or `..`, or an empty one before the last.
    #[error("the path holds an empty segment, `.` or `..`")]
    DotSegment,
}

/// The path with its unreserved characters decoded and its other escapes in capitals (RFC 3986 §6.2.2).
///
/// What could be read in two ways is refused, not repaired.
pub fn normalised(path: &str) -> Result<String, PathRefusal> {
    if path.len() > PATH_BYTES_MAX {
        return Err(PathRefusal::TooLong);
    }
    let Some(relative) = path.strip_prefix('/') else {
        return Err(PathRefusal::Relative);
    };
    let decoded = decode_unreserved(relative)?;
    let segments: Vec<_> = decoded.split('/').collect();
    let last = segments.len() - 1;
    let is_refused = |(index, segment): (usize, &&str)| match *segment {
        "." | ".." => true,
        "" => index != last,
        _ => false,
    };
    if segments.iter().enumerate().any(is_refused) {
        return Err(PathRefusal::DotSegment);
    }
    Ok(format!("/{decoded}"))
}

fn decode_unreserved(text: &str) -> Result<String, PathRefusal> {
    let mut decoded = String::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(PathRefusal::BadEncoding);
                };
                let value = u8::try_from(high * 16 + low).map_err(|_| PathRefusal::BadEncoding)?;
                match value {
                    b'/' | b'\\' | b';' | 0..=0x1f | 0x7f => return Err(PathRefusal::Ambiguous),
                    value if is_unreserved(value) => decoded.push(char::from(value)),
                    value => write!(decoded, "%{value:02X}").map_err(|_| PathRefusal::BadEncoding)?,
                }
            }
            b'\\' | b';' | 0..=0x20 | 0x7f => return Err(PathRefusal::Ambiguous),
            0x80.. | b'"' | b'<' | b'>' | b'^' | b'`' | b'{' | b'|' | b'}' | b'#' | b'?' => {
                return Err(PathRefusal::BadEncoding);
            }
            byte => decoded.push(char::from(byte)),
        }
    }
    Ok(decoded)
}

/// RFC 3986 §2.3.
const fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_resource_has_one_spelling() {
        assert_eq!(normalised("/%61dmin/%7euser").as_deref(), Ok("/admin/~user"));
        assert_eq!(normalised("/a%c3%a4%20b").as_deref(), Ok("/a%C3%A4%20b"));
        assert_eq!(normalised("/").as_deref(), Ok("/"));
        assert_eq!(normalised("/a/").as_deref(), Ok("/a/"));
    }

    #[test]
    fn what_upstreams_read_differently_is_refused() {
        for path in [
            "/a%2fb", "/a%2Fb", "/a%5cb", "/a\\b", "/a;b", "/..;x/a", "/a%3Bb", "/a%00", "/a%0d%0a", "/a b",
            "/a%7f",
        ] {
            assert_eq!(normalised(path), Err(PathRefusal::Ambiguous), "{path}");
        }
        for path in ["/..", "/a/../b", "/a/.", "/%2e%2e/b", "/.%2E/", "//a", "/a//b"] {
            assert_eq!(normalised(path), Err(PathRefusal::DotSegment), "{path}");
        }
        for path in ["/%", "/%4", "/%zz", "/ä", "/a{b}"] {
            assert_eq!(normalised(path), Err(PathRefusal::BadEncoding), "{path}");
        }
        assert_eq!(normalised("a"), Err(PathRefusal::Relative));
        assert_eq!(normalised("*"), Err(PathRefusal::Relative));
        assert_eq!(
            normalised(&format!("/{}", "a".repeat(4096))),
            Err(PathRefusal::TooLong)
        );
    }

    proptest! {
        #[test]
        fn a_normalised_path_is_its_own_normal_form(path in "/[a-zA-Z0-9%./;~_-]{0,24}") {
            if let Ok(once) = normalised(&path) {
                prop_assert_eq!(normalised(&once), Ok(once));
            }
        }

        #[test]
        fn no_path_makes_it_panic(path in "\\PC{0,40}") {
            drop(normalised(&path));
        }

        #[test]
        fn no_spelling_hides_a_dot_segment(dots in prop::sample::select(vec![".", "%2e", "%2E"]), more in prop::sample::select(vec!["", ".", "%2e"]), tail in "(/[a-z]{0,3})?") {
            let path = format!("/a/{dots}{more}{tail}");
            prop_assert_eq!(normalised(&path), Err(PathRefusal::DotSegment));
        }
    }
}
