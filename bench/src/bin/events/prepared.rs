//! Events as a door makes them, published as fast as the broker takes them.

use std::net::Ipv6Addr;

use bench::Outcome;
use shared::clock::{Clock as _, SystemClock};
use shared::event::{Event, event_id, wire};
use shared::transport::{Message, Publisher};
use uuid::Uuid;

/// An access event with everything in it.
const MODEL: &[u8] = include_bytes!("../../../../shared/tests/golden/access.v1.json");

/// Different users.
const USERS: u64 = 5_000;

/// Requests with one token, and tokens of one session.
const EVENTS_OF_A_TOKEN: u64 = 40;
const TOKENS_OF_A_SESSION: u64 = 4;

/// Events that are handed over at a time.
const BATCH: u64 = 4_096;

/// One boot of a door that numbers its events.
pub(crate) struct Prepared {
    model: Event,
    seq: u64,
}

impl Prepared {
    pub(crate) fn new() -> Outcome<Self> {
        let mut model = wire::decode(MODEL)?;
        model.source.boot = Uuid::new_v4();
        Ok(Self { model, seq: 0 })
    }

    /// The next event, of now.
    pub(crate) fn next(&mut self) -> Outcome<Message> {
        message(&self.next_event())
    }

    /// A refused token that is an alert by itself, from an address of its own.
    pub(crate) fn trick(&mut self) -> Outcome<(Message, String)> {
        let mut event = self.next_event();
        let (_, random) = event.id.as_u64_pair();
        // Of those for documentation (RFC 3849).
        let address = Ipv6Addr::from_bits(0x2001_0db8 << 96 | u128::from(random)).to_string();
        event.facts.outcome = shared::event::Outcome::Denied;
        event.facts.reason = Some("token_algorithm_refused".to_owned());
        if let Some(client) = &mut event.facts.client {
            client.ip = Some(address.clone());
        }
        Ok((message(&event)?, address))
    }

    fn next_event(&mut self) -> Event {
        self.seq += 1;
        let (seq, mut event) = (self.seq, self.model.clone());
        event.seq = seq;
        event.time = SystemClock.now();
        event.id = event_id(event.time);
        // Users take turns, so that this is the number of the user's own request.
        let (user, turn) = (seq * 7_919 % USERS, seq / USERS);
        let token = turn / EVENTS_OF_A_TOKEN;
        let actor = &mut event.facts.actor;
        actor.sub = Some(Uuid::from_u64_pair(1, user).to_string());
        actor.username = Some(format!("user{user}"));
        actor.sid = Some(Uuid::from_u64_pair(user, token / TOKENS_OF_A_SESSION).to_string());
        actor.jti = Some(Uuid::from_u64_pair(user, token).to_string());
        if let Some(client) = &mut event.facts.client {
            client.ip = Some(format!("10.{}.{}.7", user / 250, user % 250));
        }
        if let Some(http) = &mut event.facts.http {
            http.path = format!("/v1/orders/{seq}");
        }
        if let Some(trace) = &mut event.facts.trace {
            trace.request_id = event.id.to_string();
        }
        event
    }

    /// Publishes so many.
    pub(crate) async fn publish(&mut self, publisher: &mut Publisher, count: u64) -> Outcome<()> {
        let mut left = count;
        while left > 0 {
            let some = left.min(BATCH);
            let batch: Vec<_> = (0..some).map(|_| self.next()).collect::<Outcome<_>>()?;
            publisher.publish(&batch).await?;
            left -= some;
        }
        Ok(())
    }
}

fn message(event: &Event) -> Outcome<Message> {
    Ok(Message {
        routing_key: event.routing_key(),
        body: wire::encode(event)?.into(),
    })
}
