//! One reported request: what a service may say of it, and the event that this makes. Pure.

use aws_lc_rs::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::Value;
use shared::clock::UtcMicros;
use shared::event::{
    Actor, Class, ClientFacts, Detail, Draft, Facts, HttpFacts, Identity, Outcome, Reporter, TraceFacts,
    action, bounded, stable_event_id,
};

use super::batch::ENTRY_BYTES_MAX;

/// The longest id that a reporter may give an entry, in bytes.
const ID_BYTES_MAX: usize = 128;

/// The longest name of a subject, client, session, token, route or request, in bytes; longer ones are cut.
const NAME_BYTES_MAX: usize = 256;

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 64;

/// Members of a detail at most, and bytes of the name of one.
const DETAILS_MAX: usize = 16;
const DETAIL_NAME_BYTES_MAX: usize = 64;

/// The longest part of a parser's message that is shown, in bytes.
const MESSAGE_BYTES_MAX: usize = 128;

/// What a service says of a request. Members that it does not know of are refused: what would be lost without a word is
/// better missed at once, and `detail` is there for the rest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    /// The reporter's own, unique for it together with `time`: what it tells again is one event.
    id: String,
    /// When the request was answered, by the reporter's clock.
    time: UtcMicros,
    outcome: ReportedOutcome,
    reason: Option<String>,
    #[serde(default)]
    actor: ReportedActor,
    #[serde(default)]
    client: ReportedClient,
    http: ReportedHttp,
    trace: Option<ReportedTrace>,
    #[serde(default)]
    detail: Detail,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReportedOutcome {
    Granted,
    Denied,
    Error,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedActor {
    sub: Option<String>,
    username: Option<String>,
    client_id: Option<String>,
    sid: Option<String>,
    jti: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedClient {
    ip: Option<String>,
    user_agent: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedHttp {
    method: String,
    host: Option<String>,
    route: Option<String>,
    path: String,
    status: Option<u16>,
    duration_us: Option<u64>,
    request_bytes: Option<u64>,
    response_bytes: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReportedTrace {
    request_id: String,
    traceparent: Option<String>,
}

/// What is wrong with an entry. The texts repeat no value of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum EntryFault {
    /// More than [`ENTRY_BYTES_MAX`].
    #[error("an entry has {ENTRY_BYTES_MAX} bytes at most")]
    TooLarge,
    /// Not an object of the members that there are, each of its type.
    #[error("{0}")]
    Malformed(String),
    /// A member that is of its type and yet not good.
    #[error("{0}")]
    Invalid(&'static str),
}

impl EntryFault {
    /// Names of members are told, values are not: they may be what does not belong here.
    pub(super) fn malformed(error: &serde_json::Error) -> Self {
        let message = error.to_string();
        let names_a_member = ["missing field", "unknown field", "duplicate field"]
            .iter()
            .any(|kind| message.starts_with(kind));
        Self::Malformed(if names_a_member {
            bounded(&message, MESSAGE_BYTES_MAX)
        } else {
            "a member of the entry is not of the right type".to_owned()
        })
    }

    /// The stable code.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "entry_too_large",
            Self::Malformed(_) => "entry_malformed",
            Self::Invalid(_) => "entry_invalid",
        }
    }
}

impl Entry {
    /// The event of this entry, which says whose word it is.
    pub(super) fn draft(self, reporter: &Reporter) -> Result<Draft, EntryFault> {
        self.check()?;
        let outcome = match self.outcome {
            ReportedOutcome::Granted => Outcome::Granted,
            ReportedOutcome::Denied => Outcome::Denied,
            ReportedOutcome::Error => Outcome::Error,
        };
        Ok(Draft {
            id: stable_event_id(self.time, &self.id_bits(reporter)),
            time: self.time,
            facts: Facts {
                reason: self.reason,
                actor: self.actor.facts(),
                reporter: Some(reporter.clone()),
                client: Some(self.client.facts()),
                http: Some(self.http.facts()),
                trace: self.trace.map(ReportedTrace::facts),
                detail: self.detail.into_iter().map(short_detail).collect(),
                ..Facts::new(Class::Access, action::REPORTED_REQUEST, outcome)
            },
        })
    }

    fn check(&self) -> Result<(), EntryFault> {
        let is_code = |text: &String| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            !text.is_empty() && text.len() <= REASON_BYTES_MAX && text.bytes().all(plain)
        };
        let is_small = |(name, value): (&String, &Value)| {
            name.len() <= DETAIL_NAME_BYTES_MAX && !value.is_array() && !value.is_object()
        };
        let faults = [
            (
                self.id.is_empty() || self.id.len() > ID_BYTES_MAX,
                "`id` has 1 to 128 bytes",
            ),
            (self.time < UtcMicros::from_seconds(0), "`time` is 1970 or later"),
            (
                !self.reason.as_ref().is_none_or(is_code),
                "`reason` is a code of 1 to 64 small letters, digits and underscores",
            ),
            (
                self.http
                    .status
                    .is_some_and(|status| !(100..1000).contains(&status)),
                "`http.status` is from 100 to 999",
            ),
            (
                self.detail.len() > DETAILS_MAX || !self.detail.iter().all(is_small),
                "`detail` has at most 16 members, texts, numbers and truth values, with names of at most 64 bytes",
            ),
        ];
        match faults.into_iter().find(|(is_fault, _)| *is_fault) {
            Some((_, fault)) => Err(EntryFault::Invalid(fault)),
            None => Ok(()),
        }
    }

    /// The same for what the same reporter tells again, and no other reporter's.
    fn id_bits(&self, reporter: &Reporter) -> [u8; 10] {
        let mut digest = Context::new(&SHA256);
        let client_id = reporter.client_id.as_deref().unwrap_or_default();
        for part in [reporter.iss.as_str(), &reporter.sub, client_id, &self.id] {
            // With its length, so that no two lists of parts are the same bytes.
            digest.update(&(part.len() as u64).to_be_bytes());
            digest.update(part.as_bytes());
        }
        digest.update(&self.time.as_micros().to_be_bytes());
        let mut bits = [0; 10];
        for (bit, byte) in bits.iter_mut().zip(digest.finish().as_ref()) {
            *bit = *byte;
        }
        bits
    }
}

impl ReportedActor {
    /// Claimed, even if nobody is named.
    fn facts(self) -> Actor {
        Actor {
            identity: Identity::Claimed,
            sub: short_name(self.sub),
            username: short_name(self.username),
            client_id: short_name(self.client_id),
            roles: Vec::new(),
            sid: short_name(self.sid),
            jti: short_name(self.jti),
        }
    }
}

impl ReportedClient {
    fn facts(self) -> ClientFacts {
        let agent = |agent: String| bounded(&agent, ClientFacts::USER_AGENT_BYTES_MAX);
        ClientFacts {
            ip: short_name(self.ip),
            peer_ip: None,
            user_agent: self.user_agent.map(agent),
        }
    }
}

impl ReportedHttp {
    /// A query does not belong into a path, and its values may be secrets.
    fn facts(self) -> HttpFacts {
        let path = self.path.split(['?', '#']).next().unwrap_or_default();
        HttpFacts {
            method: bounded(&self.method, HttpFacts::METHOD_BYTES_MAX),
            host: self.host.map(|host| bounded(&host, HttpFacts::HOST_BYTES_MAX)),
            route: short_name(self.route),
            path: bounded(path, HttpFacts::PATH_BYTES_MAX),
            status: self.status,
            duration_us: self.duration_us,
            request_bytes: self.request_bytes,
            response_bytes: self.response_bytes,
        }
    }
}

impl ReportedTrace {
    fn facts(self) -> TraceFacts {
        let traceparent = self.traceparent;
        TraceFacts {
            request_id: bounded(&self.request_id, NAME_BYTES_MAX),
            traceparent: traceparent.filter(|text| text.len() == TraceFacts::TRACEPARENT_LENGTH),
        }
    }
}

fn short_name(name: Option<String>) -> Option<String> {
    name.map(|name| bounded(&name, NAME_BYTES_MAX))
}

fn short_detail((name, value): (String, Value)) -> (String, Value) {
    match value {
        Value::String(text) => (name, bounded(&text, NAME_BYTES_MAX).into()),
        value => (name, value),
    }
}
