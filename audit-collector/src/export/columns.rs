//! An event as one flat row, for the formats that have columns. Pure.

use shared::event::{Facts, Identity, Source};

use crate::event_log::identity_word;
use crate::search::{Content, EventBody};

/// A value in a column.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cell {
    /// There is none.
    None,
    /// A text.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A yes or no.
    Flag(bool),
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Flag,
    /// Microseconds since 1970.
    Moment,
}

/// A column: its name, what it holds, and how it is read.
pub(super) struct Column {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    value: fn(&Parts<'_>) -> Cell,
}

/// An event taken apart once for all of its columns.
pub(super) struct Parts<'e> {
    event: &'e EventBody,
    said: Option<(&'e Source, u64, &'e Facts)>,
}

impl<'e> Parts<'e> {
    pub(super) fn of(event: &'e EventBody) -> Self {
        let said = match &event.content {
            Content::Event(numbered) => Some((&numbered.source, numbered.seq, &numbered.facts)),
            Content::Unreadable { .. } => None,
        };
        Self { event, said }
    }

    fn facts(&self) -> Option<&'e Facts> {
        self.said.map(|(_, _, facts)| facts)
    }
}

impl Column {
    pub(super) fn cell(&self, parts: &Parts<'_>) -> Cell {
        (self.value)(parts)
    }
}

fn text<T: AsRef<str>>(text: Option<T>) -> Cell {
    text.map_or(Cell::None, |text| Cell::Text(text.as_ref().to_owned()))
}

fn number<T: TryInto<i64>>(number: Option<T>) -> Cell {
    number
        .and_then(|number| number.try_into().ok())
        .map_or(Cell::None, Cell::Number)
}

macro_rules! columns {
    ($($name:literal $kind:ident $parts:ident => $value:expr;)+) => {
        /// Every column, in order. A name is that of the field in `/v1/events`, without what it stands in.
        pub(super) const COLUMNS: &[Column] = &[$(Column {
            name: $name,
            kind: Kind::$kind,
            value: |$parts| $value,
        }),+];
    };
}

macro_rules! of {
    ($parts:ident . $part:ident . $field:ident) => {
        $parts
            .facts()
            .and_then(|facts| facts.$part.as_ref()?.$field.as_ref())
    };
}

columns! {
    "id" Text parts => Cell::Text(parts.event.id.to_string());
    "time" Moment parts => Cell::Number(parts.event.time.as_micros());
    "recorded_at" Moment parts => Cell::Number(parts.event.recorded_at.as_micros());
    "position" Number parts => number(parts.event.position);
    "time_suspect" Flag parts => Cell::Flag(parts.event.time_suspect);
    "class" Text parts => text(parts.facts().map(|facts| facts.class.as_str()));
    "action" Text parts => text(parts.facts().map(|facts| &facts.action));
    "outcome" Text parts => text(parts.facts().map(|facts| facts.outcome.as_str()));
    "reason" Text parts => text(parts.facts().and_then(|facts| facts.reason.as_ref()));
    "service" Text parts => text(parts.said.map(|(source, ..)| &source.service));
    "instance" Text parts => text(parts.said.map(|(source, ..)| &source.instance));
    "boot" Text parts => text(parts.said.map(|(source, ..)| source.boot.to_string()));
    "seq" Number parts => number(parts.said.map(|(_, seq, _)| seq));
    "identity" Text parts => text(parts.facts().map(|facts| identity_word(facts.actor.identity)));
    "sub" Text parts => text(parts.facts().and_then(|facts| facts.actor.sub.as_ref()));
    "username" Text parts => text(parts.facts().and_then(|facts| facts.actor.username.as_ref()));
    "client_id" Text parts => text(parts.facts().and_then(|facts| facts.actor.client_id.as_ref()));
    "roles" Text parts => text(parts.facts().filter(|facts| !facts.actor.roles.is_empty()).map(|facts| facts.actor.roles.join(" ")));
    "sid" Text parts => text(parts.facts().and_then(|facts| facts.actor.sid.as_ref()));
    "jti" Text parts => text(parts.facts().and_then(|facts| facts.actor.jti.as_ref()));
    "reporter" Text parts => text(parts.facts().and_then(|facts| Some(&facts.reporter.as_ref()?.sub)));
    "iss" Text parts => text(of!(parts.token.iss));
    "kid" Text parts => text(of!(parts.token.kid));
    "alg" Text parts => text(of!(parts.token.alg));
    "ip" Text parts => text(of!(parts.client.ip));
    "peer_ip" Text parts => text(of!(parts.client.peer_ip));
    "country" Text parts => text(parts.event.locality.country.as_ref().map(crate::enrichment::Country::as_str));
    "asn" Number parts => number(parts.event.locality.asn);
    "user_agent" Text parts => text(of!(parts.client.user_agent));
    "program" Text parts => text(of!(parts.client.user_agent).map(|agent| crate::enrichment::program(agent)));
    "method" Text parts => text(parts.facts().and_then(|facts| Some(&facts.http.as_ref()?.method)));
    "host" Text parts => text(of!(parts.http.host));
    "template" Text parts => text(of!(parts.http.route));
    "path" Text parts => text(parts.facts().and_then(|facts| Some(&facts.http.as_ref()?.path)));
    "status" Number parts => number(of!(parts.http.status).copied());
    "duration_us" Number parts => number(of!(parts.http.duration_us).copied());
    "request_bytes" Number parts => number(of!(parts.http.request_bytes).copied());
    "response_bytes" Number parts => number(of!(parts.http.response_bytes).copied());
    "route" Text parts => text(of!(parts.policy.route));
    "rule" Text parts => text(of!(parts.policy.rule));
    "request_id" Text parts => text(parts.facts().and_then(|facts| Some(&facts.trace.as_ref()?.request_id)));
    "traceparent" Text parts => text(of!(parts.trace.traceparent));
    "detail" Text parts => text(parts.facts().filter(|facts| !facts.detail.is_empty()).and_then(|facts| serde_json::to_string(&facts.detail).ok()));
}

/// Whether somebody is named.
pub(super) fn is_named(facts: &Facts) -> bool {
    facts.actor.identity != Identity::None
}
