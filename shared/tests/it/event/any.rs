//! Any event, for property tests, and the two properties of every one of them.

use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;
use shared::clock::UtcMicros;
use shared::event::{
    Actor, Class, ClientFacts, Detail, Door, Draft, Event, Facts, HttpFacts, Identity, Outcome, PolicyFacts,
    Reporter, Source, TokenFacts, TraceFacts, event_id, wire,
};
use uuid::Uuid;

use super::against_schema;

fn text() -> impl Strategy<Value = String> {
    // Beyond what `.` stands for: control characters and line feeds come from attackers, too.
    prop_oneof![".{0,40}", "[\\x00-\\x1f\\x7f\\u{2028}\"\\\\]{0,8}"]
}

fn maybe() -> impl Strategy<Value = Option<String>> {
    option::of(text())
}

fn detail() -> impl Strategy<Value = Detail> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        prop::num::f64::NORMAL.prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    btree_map(text(), value, 0..4).prop_map(|members| members.into_iter().collect())
}

fn actor() -> impl Strategy<Value = Actor> {
    let identity = select(vec![Identity::Verified, Identity::Claimed, Identity::None]);
    let texts = (maybe(), maybe(), maybe(), maybe(), maybe());
    (identity, texts, vec(text(), 0..3)).prop_map(
        |(identity, (sub, username, client_id, sid, jti), roles)| Actor {
            identity,
            sub,
            username,
            client_id,
            roles,
            sid,
            jti,
        },
    )
}

fn reporter() -> impl Strategy<Value = Reporter> {
    (text(), text(), maybe()).prop_map(|(iss, sub, client_id)| Reporter { iss, sub, client_id })
}

fn http() -> impl Strategy<Value = HttpFacts> {
    let numbers = (
        any::<Option<u16>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
        any::<Option<u64>>(),
    );
    (text(), maybe(), maybe(), text(), numbers).prop_map(|(method, host, route, path, numbers)| HttpFacts {
        method,
        host,
        route,
        path,
        status: numbers.0,
        duration_us: numbers.1,
        request_bytes: numbers.2,
        response_bytes: numbers.3,
    })
}

fn token() -> impl Strategy<Value = TokenFacts> {
    (maybe(), maybe(), maybe(), any::<Option<i64>>()).prop_map(|(iss, kid, alg, age_s)| TokenFacts {
        iss,
        kid,
        alg,
        age_s,
    })
}

fn policy() -> impl Strategy<Value = PolicyFacts> {
    (
        maybe(),
        maybe(),
        select(vec![Door::Proxy, Door::Decide, Door::Layer]),
    )
        .prop_map(|(route, rule, door)| PolicyFacts { route, rule, door })
}

fn facts() -> impl Strategy<Value = Facts> {
    let client = (maybe(), maybe(), maybe()).prop_map(|(ip, peer_ip, user_agent)| ClientFacts {
        ip,
        peer_ip,
        user_agent,
    });
    let trace = (text(), maybe()).prop_map(|(request_id, traceparent)| TraceFacts {
        request_id,
        traceparent,
    });
    let kind = (
        select(Class::ALL.to_vec()),
        "[a-z_]{1,30}",
        select(Outcome::ALL.to_vec()),
        maybe(),
    );
    let whose = (actor(), option::of(reporter()));
    let parts = (
        option::of(token()),
        option::of(client),
        option::of(http()),
        option::of(policy()),
        option::of(trace),
    );
    (kind, whose, parts, detail()).prop_map(|(kind, (actor, reporter), parts, detail)| Facts {
        class: kind.0,
        action: kind.1,
        outcome: kind.2,
        reason: kind.3,
        actor,
        reporter,
        token: parts.0,
        client: parts.1,
        http: parts.2,
        policy: parts.3,
        trace: parts.4,
        detail,
    })
}

/// Any event that a producer may make.
fn event() -> impl Strategy<Value = Event> {
    // From 1970 to the end of the year 9999, where RFC 3339 ends.
    let time = (0_i64..253_402_300_799_999_999).prop_map(UtcMicros::from_micros);
    let source = ("[A-Za-z0-9._-]{1,64}", "[A-Za-z0-9._-]{1,128}", any::<u128>());
    (time, source, 1_u64..=i64::MAX.unsigned_abs(), facts()).prop_map(|(time, source, seq, facts)| {
        let (service, instance, boot) = source;
        let boot = Uuid::from_u128(boot);
        let source = Source {
            service,
            instance,
            boot,
        };
        Draft {
            id: event_id(time),
            time,
            facts,
        }
        .numbered(source, seq)
    })
}

proptest! {
    #[test]
    fn an_event_is_read_as_it_was_written_and_follows_the_schema(event in event()) {
        let bytes = wire::encode(&event).unwrap();

        let read = wire::decode(&bytes).unwrap();

        prop_assert_eq!(&read, &event);
        prop_assert_eq!(wire::encode(&read).unwrap(), bytes.clone());
        prop_assert_eq!(against_schema(&bytes), Vec::<String>::new());
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in vec(any::<u8>(), 0..512)) {
        drop(wire::decode(&bytes));
    }

    #[test]
    fn no_change_of_one_byte_makes_the_decoder_panic(event in event(), at in any::<usize>(), byte: u8) {
        let mut bytes = wire::encode(&event).unwrap();
        let at = at % bytes.len();
        bytes[at] = byte;

        drop(wire::decode(&bytes));
    }
}

#[test]
fn details_in_any_order_are_the_same_bytes() {
    let facts = Facts::new(Class::System, "boot", Outcome::Success);
    let one = facts.clone().with_detail("a", 1).with_detail("b", 2);
    let other = facts.with_detail("b", 2).with_detail("a", 1);
    let source = Source {
        service: "api-service".into(),
        instance: "a".into(),
        boot: Uuid::from_u128(1),
    };
    let draft = Draft::new(UtcMicros::from_seconds(1_700_000_000), one);
    let reordered = Draft {
        facts: other,
        ..draft.clone()
    };

    let bytes = [draft, reordered].map(|draft| wire::encode(&draft.numbered(source.clone(), 1)).unwrap());

    assert_eq!(bytes[0], bytes[1]);
}
