//! Events as services make them.

use audit_collector::event_log::Arrival;
use bytes::Bytes;
use shared::clock::UtcMicros;
use shared::event::{
    Class, ClientFacts, Door, Draft, Event, Facts, HttpFacts, Identity, Outcome, PolicyFacts, Source,
    TraceFacts, action, wire,
};
use uuid::Uuid;

/// The moment that the tests take place: 2026-01-15T00:00:00Z.
pub(crate) const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

/// A moment some seconds after [`NOW`].
pub(crate) const fn at(seconds: i64) -> UtcMicros {
    UtcMicros::from_seconds(1_768_435_200 + seconds)
}

/// A request of `alice` that a door granted.
pub(crate) fn request_facts() -> Facts {
    let mut facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Granted);
    facts.actor.identity = Identity::Verified;
    facts.actor.sub = Some("usr_alice".into());
    facts.actor.username = Some("alice".into());
    facts.actor.sid = Some("ses_1".into());
    facts.actor.jti = Some("jti_1".into());
    facts.client = Some(ClientFacts {
        ip: Some("192.0.2.7".into()),
        ..ClientFacts::default()
    });
    facts.http = Some(HttpFacts {
        method: "GET".into(),
        route: Some("/orders/{id}".into()),
        path: "/orders/17".into(),
        status: Some(200),
        ..HttpFacts::default()
    });
    facts.policy = Some(PolicyFacts {
        route: Some("read-order".into()),
        rule: None,
        door: Door::Proxy,
    });
    facts.trace = Some(TraceFacts {
        request_id: "req_1".into(),
        traceparent: None,
    });
    facts
}

/// An event of api-service.
pub(crate) fn event(time: UtcMicros, facts: Facts) -> Event {
    event_of("api-service", time, facts)
}

/// An event of `service`.
pub(crate) fn event_of(service: &str, time: UtcMicros, facts: Facts) -> Event {
    let source = Source {
        service: service.into(),
        instance: "test".into(),
        boot: Uuid::new_v4(),
    };
    Draft::new(time, facts).numbered(source, 1)
}

/// The event as it arrives.
pub(crate) fn arrival(event: Event) -> Arrival {
    Arrival {
        body: body(&event),
        event: event.into(),
    }
}

/// The event's bytes.
pub(crate) fn body(event: &Event) -> Bytes {
    wire::encode(event).unwrap().into()
}

/// `count` requests, one each second.
pub(crate) fn requests(count: i64) -> Vec<Arrival> {
    (0..count)
        .map(|second| arrival(event(at(second), request_facts())))
        .collect()
}
