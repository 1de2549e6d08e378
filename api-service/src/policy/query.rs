//! Queries in events: names only, since values may be secrets.

use shared::event::bounded;

/// The longest masked query, in bytes.
const BYTES_MAX: usize = 512;

/// The longest name that is shown, in bytes.
const NAME_BYTES_MAX: usize = 32;

/// The query with every value replaced by `*`, and every name that may be a value itself.
pub fn masked(query: &str) -> String {
    let names = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| match pair.split_once('=') {
            Some((name, value)) if is_name(name) && !value.trim_matches('=').is_empty() => {
                format!("{name}=*")
            }
            // A bare token may end in the padding of base64, which looks like a name without a value.
            _ => "*".to_owned(),
        });
    bounded(&names.collect::<Vec<_>>().join("&"), BYTES_MAX)
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'[' | b']');
    !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_never_shown() {
        assert_eq!(masked("page=2&token=s3cret&s3cret"), "page=*&token=*&*");
        assert_eq!(masked("a=b=c"), "a=*");
        assert_eq!(masked("filter[name]=x&&empty="), "filter[name]=*&*");
        assert_eq!(masked("dG9rZW4tc2VjcmV0=&dG9rZW4tc2VjcmV0=="), "*&*");
        assert_eq!(masked(&format!("{}=1", "s3cret".repeat(6))), "*");
        assert_eq!(masked(""), "");
    }
}
