//! Events as a table of texts (RFC 4180). Pure.
//!
//! A spreadsheet takes a text that begins so for a formula, and what an attacker sends as a user name or path stands in these
//! tables: such a text gets an apostrophe before it, as OWASP advises. Who needs every byte takes another format.

use shared::clock::UtcMicros;

use super::columns::{COLUMNS, Cell, Kind, Parts};
use crate::search::EventBody;

/// What a formula begins with, their full-width forms included, and what spreadsheets pass over in front of one.
const FORMULA: [char; 12] = [
    '=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '|',
];

/// The names of the columns.
pub(super) fn head() -> Vec<u8> {
    let names: Vec<_> = COLUMNS.iter().map(|column| column.name).collect();
    format!("{}\r\n", names.join(",")).into_bytes()
}

/// Appends an event.
pub(super) fn push(bytes: &mut Vec<u8>, event: &EventBody) {
    let parts = Parts::of(event);
    for (at, column) in COLUMNS.iter().enumerate() {
        if at > 0 {
            bytes.push(b',');
        }
        match (column.cell(&parts), column.kind) {
            (Cell::None, _) => {}
            (Cell::Number(micros), Kind::Moment) => {
                push_text(bytes, &UtcMicros::from_micros(micros).to_string());
            }
            (Cell::Number(number), _) => bytes.extend_from_slice(number.to_string().as_bytes()),
            (Cell::Flag(flag), _) => bytes.extend_from_slice(if flag { b"true" } else { b"false" }),
            (Cell::Text(text), _) => push_text(bytes, &text),
        }
    }
    bytes.extend_from_slice(b"\r\n");
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    let is_formula = text.trim_start_matches(' ').starts_with(FORMULA);
    let is_plain = !is_formula && !text.contains([',', '"', '\r', '\n', '\0']);
    if is_plain {
        bytes.extend_from_slice(text.as_bytes());
        return;
    }
    bytes.push(b'"');
    if is_formula {
        bytes.push(b'\'');
    }
    // A NUL ends the text for some readers.
    bytes.extend_from_slice(text.replace('"', "\"\"").replace('\0', "\u{fffd}").as_bytes());
    bytes.push(b'"');
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(text: &str) -> String {
        let mut bytes = Vec::new();
        push_text(&mut bytes, text);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn no_text_is_a_formula() {
        for (text, expected) in [
            ("alice", "alice"),
            ("=HYPERLINK(\"http://x\")", "\"'=HYPERLINK(\"\"http://x\"\")\""),
            ("+1", "\"'+1\""),
            ("-1", "\"'-1\""),
            ("@SUM(A1)", "\"'@SUM(A1)\""),
            ("  =1", "\"'  =1\""),
            ("\t=1", "\"'\t=1\""),
            ("\u{ff1d}1", "\"'\u{ff1d}1\""),
            ("a=b", "a=b"),
            ("a,\"b\"\r\nc", "\"a,\"\"b\"\"\r\nc\""),
        ] {
            assert_eq!(written(text), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_text_is_one_field(text in ".*") {
            let written = written(&text);
            let inner = written.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            match inner {
                Some(inner) => prop_assert!(!inner.replace("\"\"", "").contains('"')),
                None => prop_assert!(!written.contains(['"', ',', '\r', '\n'])),
            }
        }
    }
}
