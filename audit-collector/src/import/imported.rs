//! What a line says → an event that is marked as imported, the same for the same line. Pure.

use std::collections::HashMap;

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use shared::clock::UtcMicros;
use shared::event::{Draft, Event, Facts, IMPORT_SERVICE, Source, imported_event_id, wire};
use uuid::Uuid;

use super::{Flaw, Format};
use crate::event_log::Arrival;

/// Lines whose repetitions are known, at least: a log repeats a line, time included, within seconds.
const LINES_KNOWN: usize = 100_000;

/// Bytes of a digest that tell lines apart.
type LineKey = [u8; 16];

/// Makes events of the lines of one log.
#[derive(Debug)]
pub struct Importer {
    source: Source,
    format: Option<Format>,
    /// How often each line came, of the newest lines and of those before.
    newest: HashMap<LineKey, u32>,
    before: HashMap<LineKey, u32>,
}

impl Importer {
    /// One for the log called `name`, in that format or in the one that its first good line is in.
    pub fn new(name: &str, format: Option<Format>) -> Self {
        Self {
            source: source(name),
            format,
            newest: HashMap::new(),
            before: HashMap::new(),
        }
    }

    /// The format, once it is known.
    pub const fn format(&self) -> Option<Format> {
        self.format
    }

    /// The event of the next line.
    ///
    /// Servers write the same line for two requests of the same second. The second of two lines that are alike is another event than
    /// the first; a log that is read again has both again.
    pub fn arrival(&mut self, line: &str) -> Result<Arrival, Flaw> {
        let format = self
            .format
            .or_else(|| Format::of(line))
            .ok_or(Flaw::UnknownFormat)?;
        let told = format.parse(line)?;
        self.format = Some(format);
        let digest = if let Some(id) = told.id {
            self.digest(&[b"event", id.as_bytes()])
        } else {
            let times = self.times_before(line);
            self.digest(&[b"line", line.as_bytes(), &times.to_be_bytes()])
        };
        encode(imported(self.source.clone(), told.time, told.facts, digest))
    }

    /// How often the line came before.
    fn times_before(&mut self, line: &str) -> u32 {
        let key = self
            .digest(&[line.as_bytes()])
            .first_chunk()
            .copied()
            .unwrap_or_default();
        let times = self
            .newest
            .get(&key)
            .or_else(|| self.before.get(&key))
            .copied()
            .unwrap_or(0);
        self.newest.insert(key, times.saturating_add(1));
        if self.newest.len() >= LINES_KNOWN {
            self.before = std::mem::take(&mut self.newest);
        }
        times
    }

    fn digest(&self, parts: &[&[u8]]) -> [u8; SHA256_OUTPUT_LEN] {
        let mut context = Context::new(&SHA256);
        context.update(b"gatelog import 1");
        for part in [self.source.instance.as_bytes()].iter().chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        }
        let mut digest = [0; SHA256_OUTPUT_LEN];
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// The source of what is imported under that name. Its boot and its numbers mean nothing: whoever wrote the log counted nothing.
fn source(name: &str) -> Source {
    Source {
        service: IMPORT_SERVICE.to_owned(),
        instance: name.to_owned(),
        boot: Uuid::nil(),
    }
}

fn imported(source: Source, time: UtcMicros, facts: Facts, digest: [u8; SHA256_OUTPUT_LEN]) -> Event {
    let (rest, number) = digest.split_at(10);
    let number = number.first_chunk().copied().map_or(1, u64::from_be_bytes);
    Event {
        id: imported_event_id(time, rest.first_chunk().unwrap_or(&[0; 10])),
        time,
        source,
        // A number that SQL can hold, the same for the same line.
        seq: (number >> 1).max(1),
        facts,
    }
}

/// An event of an import itself, with a fresh id.
pub(super) fn own_event(name: &str, time: UtcMicros, facts: Facts) -> Result<Arrival, Flaw> {
    encode(Draft::new(time, facts).numbered(source(name), 1))
}

fn encode(event: Event) -> Result<Arrival, Flaw> {
    let body = wire::encode(&event).map_err(|error| Flaw::Event(error.to_string()))?;
    Ok(Arrival {
        event: event.into(),
        body: body.into(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"192.0.2.7 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 1"#;

    fn id(importer: &mut Importer, line: &str) -> Uuid {
        importer.arrival(line).unwrap().event.id
    }

    #[test]
    fn a_log_that_is_read_again_has_the_same_events() {
        let read = || {
            let mut importer = Importer::new("www", None);
            [LINE, LINE, LINE].map(|line| importer.arrival(line).unwrap())
        };

        let (first, again) = (read(), read());

        for (one, other) in first.iter().zip(&again) {
            assert_eq!((one.event.id, &one.body), (other.event.id, &other.body));
        }
        assert_ne!(first[0].event.id, first[1].event.id);
        assert_ne!(first[1].event.id, first[2].event.id);
    }

    #[test]
    fn the_name_of_the_log_tells_events_apart() {
        assert_ne!(
            id(&mut Importer::new("a", None), LINE),
            id(&mut Importer::new("b", None), LINE)
        );
    }

    #[test]
    fn an_imported_event_is_one_on_the_wire() {
        let arrival = Importer::new("www", None).arrival(LINE).unwrap();

        assert_eq!(wire::decode(&arrival.body).unwrap(), *arrival.event);
        assert_eq!(arrival.event.source.service, IMPORT_SERVICE);
    }

    #[test]
    fn the_first_good_line_decides_on_the_format() {
        let mut importer = Importer::new("www", None);

        assert_eq!(importer.arrival("started").unwrap_err(), Flaw::UnknownFormat);
        importer.arrival(LINE).unwrap();
        assert_eq!(importer.format(), Some(Format::Common));
        assert!(
            importer
                .arrival(r#"{"msec":1,"request":"GET /","status":200}"#)
                .is_err()
        );
    }

    proptest! {
        #[test]
        fn no_line_is_too_strange(line in ".*", known: bool) {
            drop(Importer::new("www", known.then_some(Format::Common)).arrival(&line));
        }
    }
}
