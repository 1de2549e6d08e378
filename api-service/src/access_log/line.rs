//! One line: what the event of a request says, with the event's id.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::Formatter;
use shared::clock::UtcMicros;
use shared::event::{Draft, Facts};

#[derive(Serialize)]
struct Line<'d> {
    id: String,
    time: UtcMicros,
    #[serde(flatten)]
    facts: &'d Facts,
}

/// The line of an event, with its end.
pub(super) fn of(draft: &Draft) -> Vec<u8> {
    let mut text = Vec::with_capacity(1_024);
    let line = Line {
        id: draft.id.to_string(),
        time: draft.time,
        facts: &draft.facts,
    };
    // Texts and numbers alone cannot fail to be written.
    if line
        .serialize(&mut Serializer::with_formatter(&mut text, Plain))
        .is_err()
    {
        text.clear();
    }
    text.push(b'\n');
    text
}

/// Compact JSON of printable ASCII: whatever a stranger sent, a line stays a line and a terminal is told nothing.
struct Plain;

impl Formatter for Plain {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        for character in fragment.chars() {
            match character {
                ' '..='~' => writer.write_all(&[character as u8])?,
                _ => {
                    for unit in character.encode_utf16(&mut [0; 2]) {
                        write!(writer, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shared::event::{Class, HttpFacts, Outcome};

    use super::*;

    #[test]
    fn a_hostile_text_is_data_of_one_line_of_plain_characters() {
        let path = "/\u{1b}[2J\n{\"forged\":1}\u{85}\u{2028}\u{202e}é😀\u{7f}\"\\";
        let mut facts = Facts::new(Class::Access, "api_request", Outcome::Denied);
        facts.http = Some(HttpFacts {
            path: path.to_owned(),
            ..HttpFacts::default()
        });
        let draft = Draft::new(UtcMicros::from_seconds(1), facts);

        let line = String::from_utf8(of(&draft)).unwrap();

        assert_eq!(line.find('\n'), Some(line.len() - 1));
        assert!(
            line.trim_end().chars().all(|c| (' '..='~').contains(&c)),
            "{line}"
        );
        let read: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(read["http"]["path"], path);
        assert_eq!(read["id"], draft.id.to_string());
        assert_eq!(read["outcome"], "denied");
    }
}
