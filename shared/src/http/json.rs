//! JSON bodies: read as exactly what is wanted, and what is said of one that is not.

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::event::bounded;

/// The longest part of a parser's message that is told, in bytes.
const MESSAGE_BYTES_MAX: usize = 256;

/// Why a body is not what is wanted. Both say where, as line and column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JsonFault {
    /// It is not JSON; what is wrong with it. No value of it is quoted.
    Malformed(String),
    /// It is JSON, of other members or types. Values may be quoted.
    Invalid(String),
}

/// Reads a body as a `T`.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, JsonFault> {
    serde_json::from_slice(bytes).map_err(|error| fault(bytes, &error))
}

/// The parser calls it a mistake of syntax too if a member has a type that its reader had no word for, so that only a second reading
/// tells whether the body is JSON.
fn fault(bytes: &[u8], error: &serde_json::Error) -> JsonFault {
    let told = |error: &serde_json::Error| bounded(&error.to_string(), MESSAGE_BYTES_MAX);
    if error.is_data() {
        return JsonFault::Invalid(told(error));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Err(error) => JsonFault::Malformed(told(&error)),
        Ok(_) => JsonFault::Invalid(format!(
            "a value is of another type than is taken there, at line {} column {}",
            error.line(),
            error.column()
        )),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Verdict {
        Good,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Change {
        #[expect(dead_code, reason = "only whether it can be read matters here")]
        verdict: Option<Verdict>,
    }

    fn told(body: &[u8]) -> JsonFault {
        read::<Change>(body).unwrap_err()
    }

    #[test]
    fn a_value_of_a_wrong_type_is_not_called_malformed_whatever_type_it_is() {
        for value in ["true", "7", "null", "[]", "\"bad\"", "{\"x\":1}"] {
            let body = format!("{{\"verdict\":\n {value}}}");
            match read::<Change>(body.as_bytes()) {
                Ok(_) => assert_eq!(value, "null"),
                Err(JsonFault::Invalid(told)) => assert!(told.contains(" at line "), "{value}: {told}"),
                Err(malformed) => panic!("{value}: {malformed:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_json_says_where_it_goes_wrong() {
        let malformed = |text: &str| JsonFault::Malformed(text.to_owned());

        assert_eq!(
            told(b"{\"verdict\": \"good\",\n \"a\" 1}"),
            JsonFault::Invalid("unknown field `a`, expected `verdict` at line 2 column 5".into())
        );
        assert_eq!(
            told(b"{\"verdict\": tru}"),
            malformed("expected ident at line 1 column 16")
        );
        assert_eq!(
            told(b"{"),
            malformed("EOF while parsing an object at line 1 column 1")
        );
        assert!(matches!(told(b"{\"verdict\":\"\xff\"}"), JsonFault::Malformed(_)));
        assert!(matches!(told(&[b'['; 5_000]), JsonFault::Malformed(_)));
    }

    proptest! {
        #[test]
        fn a_body_is_called_malformed_exactly_if_it_is_no_json_or_goes_wrong_before(body in "[{}\\[\\],:\" a-z0-9\\\\]{0,40}") {
            let is_json = serde_json::from_str::<Value>(&body).is_ok();
            if let Err(fault) = read::<Change>(body.as_bytes()) {
                prop_assert!(!is_json || matches!(fault, JsonFault::Invalid(_)));
            } else {
                prop_assert!(is_json);
            }
        }
    }
}
