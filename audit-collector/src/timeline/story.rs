//! What a life adds up to. Pure.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use shared::clock::UtcMicros;
use shared::event::{Event, Outcome, action};

use super::Subject;
use crate::event_log::searchable;
use crate::search::EventBody;

/// Addresses, programs and tokens that are listed at most.
const LISTED_MAX: usize = 50;

/// A page of a life.
#[derive(Clone, Debug, Serialize)]
pub struct Story {
    /// What it adds up to; only on the first page.
    pub summary: Option<Summary>,
    /// The events in the order of time.
    pub events: Vec<EventBody>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// What a life adds up to.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Summary {
    /// Whether it is made of all events of the life, and not of its first ones only.
    pub complete: bool,
    /// The session that was found for a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// Events.
    pub events: u64,
    /// When the first of them was.
    pub first: Option<UtcMicros>,
    /// When the last was.
    pub last: Option<UtcMicros>,
    /// Whose they are: names, or else subjects.
    pub users: Vec<Seen>,
    /// The sign-in that it began with.
    pub sign_in: Option<Moment>,
    /// Requests that were let in, and those that were refused.
    pub calls: Calls,
    /// Refreshes, refused ones included.
    pub refreshes: u64,
    /// Refresh tokens that came back after they were replaced.
    pub reuses: u64,
    /// The tokens, in the order in which they were seen first.
    pub tokens: Vec<Token>,
    /// Where requests came from.
    pub places: Vec<Seen>,
    /// What they were made with.
    pub programs: Vec<Seen>,
    /// How it was ended, if it was.
    pub end: Option<Moment>,
    /// The first refusal after the end, which shows that the end was in force.
    pub first_refusal: Option<Moment>,
    /// How long after the end a request was let in for the last time, in microseconds; absent if none was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted_after_end_us: Option<u64>,
}

/// Something that happened once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moment {
    /// When.
    pub time: UtcMicros,
    /// The event.
    pub id: uuid::Uuid,
    /// What was done.
    pub action: String,
    /// Why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// How often requests were answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Let in.
    pub granted: u64,
    /// Refused.
    pub denied: u64,
    /// Ended by a fault.
    pub error: u64,
}

/// A value and when it was seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seen {
    /// The value.
    pub value: String,
    /// How many events have it.
    pub events: u64,
    /// The first of them.
    pub first: UtcMicros,
    /// The last.
    pub last: UtcMicros,
}

/// A token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Token {
    /// Its id.
    pub jti: String,
    /// When it was minted, if that is in the life.
    pub minted: Option<UtcMicros>,
    /// When it expires, as it was minted.
    pub expires_at: Option<String>,
    /// Whether a refresh made it.
    pub refreshed: bool,
    /// Its requests.
    pub calls: Calls,
    /// When it was seen first.
    pub first: UtcMicros,
    /// When it was seen last.
    pub last: UtcMicros,
}

impl Summary {
    /// What `events` add up to, which are in the order of time. `asked` is whose life was asked for, `subject` whose was told.
    pub(super) fn of(
        asked: &Subject,
        subject: &Subject,
        events: impl Iterator<Item = Event>,
        complete: bool,
    ) -> Self {
        let mut summary = Self {
            complete,
            sid: match (asked, subject) {
                (Subject::Token(_), Subject::Session(sid)) => Some(sid.clone()),
                _ => None,
            },
            ..Self::default()
        };
        let mut lists = Lists::default();
        for event in events {
            summary.take(&event, subject);
            // Whoever ended a session has an address and a token of its own, which are none of the session's.
            if is_own(&event, subject) {
                lists.take(&event);
            }
        }
        summary.tokens = lists.tokens;
        summary.users = listed(lists.users);
        summary.places = listed(lists.places);
        summary.programs = listed(lists.programs);
        summary
    }

    fn take(&mut self, event: &Event, subject: &Subject) {
        let facts = &event.facts;
        self.events += 1;
        self.first.get_or_insert(event.time);
        self.last = Some(event.time);
        match facts.action.as_str() {
            action::API_REQUEST | action::REPORTED_REQUEST => self.call(event),
            action::AUTHN_LOGIN_SUCCESS | action::SESSION_CREATED if self.sign_in.is_none() => {
                self.sign_in = Some(Moment::of(event));
            }
            action::AUTHN_TOKEN_CREATED if facts.detail.contains_key("refresh") => self.refreshes += 1,
            action::AUTHN_TOKEN_REFRESH_FAIL => self.refreshes += 1,
            action::AUTHN_TOKEN_REUSE => self.reuses += 1,
            action::AUTHN_TOKEN_REVOKED if self.end.is_none() && ends(event, subject) => {
                self.end = Some(Moment::of(event));
            }
            _ => {}
        }
    }

    fn call(&mut self, event: &Event) {
        self.calls.count(event.facts.outcome);
        let Some(end) = &self.end else { return };
        match event.facts.outcome {
            Outcome::Denied if self.first_refusal.is_none() => self.first_refusal = Some(Moment::of(event)),
            Outcome::Granted => {
                self.granted_after_end_us = u64::try_from(event.time.since(end.time).as_micros()).ok();
            }
            _ => {}
        }
    }
}

/// Whether the subject itself is its actor: a session is told with an event of whoever else ended it.
fn is_own(event: &Event, subject: &Subject) -> bool {
    match subject {
        Subject::Session(sid) => {
            let own = event.facts.actor.sid.as_deref().map(searchable);
            own == Some(searchable(sid))
        }
        Subject::Token(_) | Subject::Sub(_) => true,
    }
}

/// Whether an event ends the life: of a session, the one that names it; of a user, any.
fn ends(event: &Event, subject: &Subject) -> bool {
    let named = event.facts.detail.get("sid").and_then(Value::as_str);
    match subject {
        Subject::Session(sid) => named == Some(sid),
        Subject::Token(_) | Subject::Sub(_) => true,
    }
}

impl Moment {
    fn of(event: &Event) -> Self {
        let actor = &event.facts.actor;
        Self {
            time: event.time,
            id: event.id,
            action: event.facts.action.clone(),
            reason: event.facts.reason.clone(),
            by: actor.username.clone().or_else(|| actor.sub.clone()),
        }
    }
}

impl Calls {
    fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Granted | Outcome::Success => self.granted += 1,
            Outcome::Denied | Outcome::Failure => self.denied += 1,
            Outcome::Error => self.error += 1,
        }
    }
}

/// What is gathered while events are gone through.
#[derive(Default)]
struct Lists {
    users: BTreeMap<String, Seen>,
    places: BTreeMap<String, Seen>,
    programs: BTreeMap<String, Seen>,
    tokens: Vec<Token>,
}

impl Lists {
    fn take(&mut self, event: &Event) {
        let (actor, client) = (&event.facts.actor, event.facts.client.as_ref());
        let user = actor.username.as_ref().or(actor.sub.as_ref());
        see(&mut self.users, user, event.time);
        see(
            &mut self.places,
            client.and_then(|client| client.ip.as_ref()),
            event.time,
        );
        see(
            &mut self.programs,
            client.and_then(|client| client.user_agent.as_ref()),
            event.time,
        );
        if let Some(jti) = &actor.jti {
            self.token(jti, event);
        }
    }

    fn token(&mut self, jti: &str, event: &Event) {
        let facts = &event.facts;
        if !self.tokens.iter().any(|token| token.jti == jti) && self.tokens.len() < LISTED_MAX {
            self.tokens.push(Token {
                jti: jti.to_owned(),
                minted: None,
                expires_at: None,
                refreshed: false,
                calls: Calls::default(),
                first: event.time,
                last: event.time,
            });
        }
        let Some(token) = self.tokens.iter_mut().find(|token| token.jti == jti) else {
            return;
        };
        token.last = event.time;
        match facts.action.as_str() {
            action::AUTHN_TOKEN_CREATED => {
                token.minted = Some(event.time);
                token.refreshed = facts.detail.contains_key("refresh");
                let expires_at = facts.detail.get("expires_at").and_then(Value::as_str);
                token.expires_at = expires_at.map(str::to_owned);
            }
            action::API_REQUEST | action::REPORTED_REQUEST => token.calls.count(facts.outcome),
            _ => {}
        }
    }
}

fn see(seen: &mut BTreeMap<String, Seen>, value: Option<&String>, time: UtcMicros) {
    let Some(value) = value else { return };
    let seen = seen.entry(value.clone()).or_insert_with(|| Seen {
        value: value.clone(),
        events: 0,
        first: time,
        last: time,
    });
    seen.events += 1;
    seen.last = time;
}

/// The values in the order in which they were seen first.
fn listed(seen: BTreeMap<String, Seen>) -> Vec<Seen> {
    let mut seen: Vec<_> = seen.into_values().collect();
    seen.sort_by_key(|one| one.first);
    seen.truncate(LISTED_MAX);
    seen
}
