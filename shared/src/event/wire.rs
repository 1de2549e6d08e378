//! The event on the wire: CloudEvents 1.0 in structured JSON, type `gatelog.<class>.v1`.
//!
//! The envelope's attributes hold id, time, source and number; `data` holds the [`Facts`]. A reader ignores members
//! it does not know, so that version 1 may grow optional ones.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::error::Category;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use super::{Class, Event, Facts, Source};
use crate::clock::UtcMicros;

/// The media type of one event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// The largest event, in bytes. Larger ones are refused by the producer and are poison to the collector.
pub const BYTES_MAX: usize = 64 * 1024;

/// The version of [`Facts`] that is written.
pub const VERSION: u32 = 1;

/// Bytes of an envelope without its data, about.
const ENVELOPE_BYTES: usize = 384;

const SPEC_VERSION: &str = "1.0";
const DATA_CONTENT_TYPE: &str = "application/json";
const SERVICE_LENGTH_MAX: usize = 64;
const INSTANCE_LENGTH_MAX: usize = 128;

/// The envelope with `data` of any form.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "GatelogEvent")]
struct Envelope<'a, Data> {
    /// The version of CloudEvents.
    #[serde(borrow)]
    #[schemars(extend("const" = SPEC_VERSION))]
    specversion: Cow<'a, str>,
    /// UUIDv7, made by the producer; the key of deduplication.
    id: Uuid,
    /// `/service/instance/boot`.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^/[A-Za-z0-9._-]{1,64}/[A-Za-z0-9._-]{1,128}/[0-9a-f-]{36}$"))]
    source: Cow<'a, str>,
    /// `gatelog.<class>.v<version>`.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^gatelog\.(access|auth|admin|system|alert)\.v1$"))]
    r#type: Cow<'a, str>,
    /// When it happened, by the producer's clock.
    time: UtcMicros,
    /// The number at the source as decimal digits, as CloudEvents' `sequence` extension has it.
    #[serde(borrow)]
    #[schemars(regex(pattern = r"^[1-9][0-9]{0,18}$"))]
    sequence: Cow<'a, str>,
    /// The media type of `data`.
    #[serde(borrow)]
    #[schemars(extend("const" = DATA_CONTENT_TYPE))]
    datacontenttype: Cow<'a, str>,
    /// What happened.
    data: Data,
}

impl<'a, Data> Envelope<'a, Data> {
    /// The same envelope around other data.
    fn with<Other>(self, data: Other) -> Envelope<'a, Other> {
        Envelope {
            specversion: self.specversion,
            id: self.id,
            source: self.source,
            r#type: self.r#type,
            time: self.time,
            sequence: self.sequence,
            datacontenttype: self.datacontenttype,
            data,
        }
    }
}

/// Why bytes are no event. The texts quote nothing of the bytes.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// More than [`BYTES_MAX`].
    #[error("an event of {0} bytes is larger than the {BYTES_MAX} allowed")]
    Oversized(usize),
    /// Not JSON, or not of the envelope's or the version's form.
    #[error("not an event: {0}")]
    Malformed(Flaw),
    /// Another version of CloudEvents or of the event.
    #[error("an event of an unknown version")]
    UnknownVersion,
    /// The type's class and the data's differ.
    #[error("the type names another class than the data")]
    ClassMismatch,
    /// The source is not `/service/instance/boot`.
    #[error("the source is not of the form /service/instance/boot")]
    MalformedSource,
    /// The number is not a positive decimal number.
    #[error("the sequence is not a positive decimal number")]
    MalformedSequence,
    /// The id is not a version 7 UUID, nor, of an imported event, a version 8 one.
    #[error("the id is not a UUID of version 7")]
    IdVersion,
}

/// Where and how JSON is not what it should be. The library's own texts would quote what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} at line {line} column {column}")]
pub struct Flaw {
    what: &'static str,
    line: usize,
    column: usize,
}

impl From<serde_json::Error> for DecodeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed(Flaw {
            what: match error.classify() {
                Category::Data => "a member is missing or of another form",
                Category::Eof => "the JSON ends too early",
                Category::Syntax | Category::Io => "this is not JSON",
            },
            line: error.line(),
            column: error.column(),
        })
    }
}

impl DecodeError {
    /// A stable code for this reason.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Oversized(_) => "oversized",
            Self::Malformed(_) => "malformed",
            Self::UnknownVersion => "unknown_version",
            Self::ClassMismatch => "class_mismatch",
            Self::MalformedSource => "malformed_source",
            Self::MalformedSequence => "malformed_sequence",
            Self::IdVersion => "id_version",
        }
    }
}

/// The event would not fit into a message, or cannot be written as JSON.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// More than [`BYTES_MAX`].
    #[error("an event of {0} bytes is larger than the {BYTES_MAX} allowed")]
    Oversized(usize),
    /// Not to be written as JSON.
    #[error("an event cannot be written: {0}")]
    Unwritable(#[from] serde_json::Error),
}

/// Writes an event. Equal events are equal bytes, which is what hashes cover.
pub fn encode(event: &Event) -> Result<Vec<u8>, EncodeError> {
    let facts = WrittenFacts::of(&event.facts)?;
    facts.numbered(event.id, event.time, &event.source.to_string(), event.seq)
}

/// Facts as they are on the wire, so that whoever numbers an event has little left to do.
#[derive(Debug)]
pub struct WrittenFacts {
    class: Class,
    data: Box<RawValue>,
}

impl WrittenFacts {
    /// Writes `facts`.
    pub fn of(facts: &Facts) -> Result<Self, EncodeError> {
        let data = to_raw_value(facts)?;
        if data.get().len() > BYTES_MAX {
            return Err(EncodeError::Oversized(data.get().len()));
        }
        Ok(Self {
            class: facts.class,
            data,
        })
    }

    /// The event with these facts, as [`encode`] writes it. `source` is how a [`Source`] is shown.
    pub fn numbered(
        &self,
        id: Uuid,
        time: UtcMicros,
        source: &str,
        seq: u64,
    ) -> Result<Vec<u8>, EncodeError> {
        let envelope = Envelope {
            specversion: SPEC_VERSION.into(),
            id,
            source: source.into(),
            r#type: format!("gatelog.{}.v{VERSION}", self.class).into(),
            time,
            sequence: seq.to_string().into(),
            datacontenttype: DATA_CONTENT_TYPE.into(),
            data: &*self.data,
        };
        let mut bytes = Vec::with_capacity(ENVELOPE_BYTES + self.data.get().len());
        serde_json::to_writer(&mut bytes, &envelope)?;
        if bytes.len() > BYTES_MAX {
            return Err(EncodeError::Oversized(bytes.len()));
        }
        Ok(bytes)
    }
}

/// Reads an event of any published version.
pub fn decode(bytes: &[u8]) -> Result<Event, DecodeError> {
    if bytes.len() > BYTES_MAX {
        return Err(DecodeError::Oversized(bytes.len()));
    }
    // Read at once, as nearly all can be. What cannot is read again by steps, to say what is wrong with it.
    let envelope: Envelope<'_, Facts> = match serde_json::from_slice(bytes) {
        Ok(envelope) => envelope,
        Err(_) => read_by_steps(bytes)?,
    };
    let Some((class, "1")) = versioned_class(&envelope) else {
        return Err(DecodeError::UnknownVersion);
    };
    if envelope.data.class.as_str() != class {
        return Err(DecodeError::ClassMismatch);
    }
    let source = parse_source(&envelope.source).ok_or(DecodeError::MalformedSource)?;
    let is_imported = source.is_import();
    match envelope.id.get_version_num() {
        7 => {}
        8 if is_imported => {}
        _ => return Err(DecodeError::IdVersion),
    }
    Ok(Event {
        id: envelope.id,
        time: envelope.time,
        source,
        seq: parse_sequence(&envelope.sequence).ok_or(DecodeError::MalformedSequence)?,
        facts: envelope.data,
    })
}

/// The version before the data, which is of another form in another version.
fn read_by_steps(bytes: &[u8]) -> Result<Envelope<'_, Facts>, DecodeError> {
    let envelope: Envelope<'_, &RawValue> = serde_json::from_slice(bytes)?;
    let Some((_, "1")) = versioned_class(&envelope) else {
        return Err(DecodeError::UnknownVersion);
    };
    let data = serde_json::from_str(envelope.data.get())?;
    Ok(envelope.with(data))
}

/// Larger bytes are not looked at for whose they say they are: no service of ours sends them.
const NUMBERED_BYTES_MAX: usize = 1 << 20;

/// Whose event bytes say they are and which number it has there, whatever else is wrong with them.
pub fn numbering(bytes: &[u8]) -> Option<(Source, u64)> {
    #[derive(Deserialize)]
    struct Numbering<'a> {
        #[serde(borrow)]
        source: Cow<'a, str>,
        #[serde(borrow)]
        sequence: Cow<'a, str>,
    }
    if bytes.len() > NUMBERED_BYTES_MAX {
        return None;
    }
    let numbering: Numbering<'_> = serde_json::from_slice(bytes).ok()?;
    Some((
        parse_source(&numbering.source)?,
        parse_sequence(&numbering.sequence)?,
    ))
}

/// The JSON Schema of an event on the wire.
pub fn json_schema() -> schemars::Schema {
    schemars::schema_for!(Envelope<'static, Facts>)
}

fn versioned_class<'e, Data>(envelope: &'e Envelope<'_, Data>) -> Option<(&'e str, &'e str)> {
    if envelope.specversion != SPEC_VERSION || envelope.datacontenttype != DATA_CONTENT_TYPE {
        return None;
    }
    envelope.r#type.strip_prefix("gatelog.")?.split_once(".v")
}

fn parse_source(text: &str) -> Option<Source> {
    let mut parts = text.strip_prefix('/')?.split('/');
    let (service, instance, boot) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some()
        || !is_name(service, SERVICE_LENGTH_MAX)
        || !is_name(instance, INSTANCE_LENGTH_MAX)
    {
        return None;
    }
    let boot_id = Uuid::try_parse(boot).ok()?;
    // Only one spelling, so that one source is one text.
    let spelling = &mut Uuid::encode_buffer();
    (boot_id.hyphenated().encode_lower(spelling) == boot).then(|| Source {
        service: service.to_owned(),
        instance: instance.to_owned(),
        boot: boot_id,
    })
}

/// Whether `text` may name a service or an instance: letters, digits, `.`, `_` and `-`.
pub fn is_instance_name(text: &str) -> bool {
    is_name(text, INSTANCE_LENGTH_MAX)
}

fn is_name(text: &str, length_max: usize) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    !text.is_empty() && text.len() <= length_max && text.bytes().all(plain)
}

/// SQL keeps the number as a signed 64-bit integer, so larger ones are refused.
fn parse_sequence(text: &str) -> Option<u64> {
    let seq: u64 = text.parse().ok()?;
    (text.starts_with(|first| matches!(first, '1'..='9')) && i64::try_from(seq).is_ok()).then_some(seq)
}
