//! What was refused before it was a request: counted, and recorded where it was answered.
//!
//! hyper answers by itself to what is no HTTP (400) or too large a head (431, 414) and shows nobody what it read, so that the event
//! follows the answer and knows nothing but who was answered, with which status.

use http::StatusCode;
use shared::event::{Class, ClientFacts, Door, Draft, Facts, HttpFacts, Outcome, PolicyFacts, action};
use shared::http::serve::{Refused, RefusedCause};

use super::Gate;
use super::record::write_later;
use crate::policy::Audit;

impl Gate {
    /// Counts what a listener refused, and writes the event of what it answered.
    pub(crate) fn note_refused(&self, refused: Refused) {
        self.refusals.count(refused.cause);
        let status = match refused.cause {
            RefusedCause::Malformed => StatusCode::BAD_REQUEST,
            RefusedCause::TooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            RefusedCause::TooMany | RefusedCause::Handshake | RefusedCause::Silent | RefusedCause::Unread => {
                return;
            }
        };
        let peer = refused.peer.ip().to_canonical().to_string();
        let mut facts =
            Facts::new(Class::Access, action::API_REQUEST, Outcome::Denied).because(refused.cause.code());
        facts.client = Some(ClientFacts {
            ip: Some(peer.clone()),
            peer_ip: Some(peer),
            user_agent: None,
        });
        facts.http = Some(HttpFacts {
            status: Some(status.as_u16()),
            ..HttpFacts::default()
        });
        facts.policy = Some(PolicyFacts {
            route: None,
            rule: None,
            door: Door::Proxy,
        });
        self.tell(facts);
    }

    /// Writes an event that is about no request.
    pub(crate) fn tell(&self, facts: Facts) {
        let draft = Draft::new(self.spool.clock().now(), facts);
        write_later(self, draft, Audit::Durable, None);
    }
}
