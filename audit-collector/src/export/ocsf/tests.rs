//! What the schema 1.8.0 demands of events, as far as ours can fail it.

use shared::clock::UtcMicros;
use shared::event::{ClientFacts, Door, Draft, HttpFacts, Identity, PolicyFacts, Source, TraceFacts};
use uuid::Uuid;

use super::*;
use crate::enrichment::Locality;

/// What every event must have, and what each class must, by the schema 1.8.0.
const BASE: [&str; 7] = [
    "activity_id",
    "category_uid",
    "class_uid",
    "metadata",
    "severity_id",
    "time",
    "type_uid",
];
const DEMANDED: [(u32, &[&str]); 8] = [
    (2004, &["finding_info"]),
    (3001, &["user"]),
    (3002, &["user"]),
    (3004, &["entity"]),
    (3005, &["user", "privileges"]),
    (4002, &["http_request"]),
    (6002, &["app"]),
    (6003, &["actor", "api", "src_endpoint"]),
];

/// What every class knows beside what it demands, and what it knows by a profile.
const KNOWN: [&str; 6] = [
    "activity_name",
    "severity",
    "status",
    "status_code",
    "status_detail",
    "status_id",
];
const OF_REQUESTS: [&str; 4] = ["actor", "src_endpoint", "http_request", "http_response"];
const KNOWN_TO: [(u32, &[&str]); 8] = [
    (2004, &["is_alert"]),
    (3001, &OF_REQUESTS),
    (
        3002,
        &[
            "actor",
            "src_endpoint",
            "http_request",
            "http_response",
            "service",
            "auth_protocol_id",
            "is_remote",
        ],
    ),
    (3004, &OF_REQUESTS),
    (3005, &OF_REQUESTS),
    (4002, &["src_endpoint", "http_response"]),
    (6002, &[]),
    (6003, &["http_request", "http_response"]),
];
const OF_PROFILES: [(&str, &[&str], &[u32]); 3] = [
    ("host", &["actor"], &[2004, 4002, 6002]),
    (
        "security_control",
        &["action_id", "disposition_id", "disposition", "authorizations"],
        &[],
    ),
    ("trace", &["trace"], &[4002, 6003]),
];

/// Where one of these must be, wherever it stands.
const AT_LEAST_ONE: [(&str, &[&str]); 6] = [
    ("actor", &["user", "session", "app_uid"]),
    ("user", &["name", "uid"]),
    ("src_endpoint", &["ip", "name"]),
    ("policy", &["name", "uid", "type"]),
    ("service", &["name", "uid"]),
    ("analytic", &["name", "uid"]),
];

fn members_of<'t>(table: &[(u32, &'t [&'t str])], class: u32) -> &'t [&'t str] {
    table.iter().find(|(known, _)| *known == class).unwrap().1
}

/// Whether a class knows a member of events, by itself or by a profile that the event says it has.
fn is_known(event: &Value, class: u32, member: &str) -> bool {
    let own = [members_of(&DEMANDED, class), members_of(&KNOWN_TO, class)].concat();
    let profiles = event["metadata"]["profiles"].as_array();
    let has = |profile: &str| profiles.is_some_and(|profiles| profiles.contains(&profile.into()));
    let by_profile = OF_PROFILES.iter().any(|(profile, members, classes)| {
        has(profile) && members.contains(&member) && (classes.is_empty() || classes.contains(&class))
    });
    let everywhere = BASE.contains(&member) || KNOWN.contains(&member) || member == "unmapped";
    everywhere || own.contains(&member) || by_profile
}

/// What the schema would say against an event.
fn objections(event: &Value) -> Vec<String> {
    let class = u32::try_from(event["class_uid"].as_u64().unwrap()).unwrap();
    let members = event.as_object().unwrap();
    let demanded = BASE.iter().chain(members_of(&DEMANDED, class));
    let missing = demanded.filter(|member| !members.contains_key(**member));
    let unknown = members
        .keys()
        .filter(|member| !is_known(event, class, member.as_str()));
    let mut objections: Vec<String> = missing
        .map(|member| format!("{class} lacks {member}"))
        .chain(unknown.map(|member| format!("{class} does not know {member}")))
        .collect();
    for (name, member) in members.iter().filter(|(name, _)| *name != "unmapped") {
        find_incomplete(name, member, &mut objections);
    }
    objections
}

fn find_incomplete(name: &str, value: &Value, objections: &mut Vec<String>) {
    if let Value::Array(values) = value {
        for value in values {
            find_incomplete(name, value, objections);
        }
    }
    let Value::Object(members) = value else { return };
    let wanted = AT_LEAST_ONE.iter().find(|(object, _)| *object == name);
    if wanted.is_some_and(|(_, wanted)| !wanted.iter().any(|member| members.contains_key(*member))) {
        objections.push(format!("{name} has nothing of what it must have: {value}"));
    }
    // The profile `trace` demands the times of a span, which nobody tells us.
    if name == "trace" && (!members.contains_key("uid") || members.contains_key("span")) {
        objections.push(format!("{name} is not complete: {value}"));
    }
    for (name, member) in members {
        find_incomplete(name, member, objections);
    }
}

/// Facts of which more and more is known.
fn facts(class: Class, name: &str, identity: Identity) -> Facts {
    let mut facts = Facts::new(class, name, Outcome::Denied)
        .with_detail("username", "bob")
        .with_detail("after", json!({"roles": ["reader"]}));
    facts.actor.identity = identity;
    facts.actor.username = (identity != Identity::None).then(|| "alice".to_owned());
    facts.client = Some(ClientFacts {
        ip: Some("192.0.2.7".into()),
        ..ClientFacts::default()
    });
    facts.http = Some(HttpFacts {
        method: "GET".into(),
        path: "/a".into(),
        status: Some(401),
        ..HttpFacts::default()
    });
    facts
}

fn shown(facts: Facts) -> Value {
    let source = Source {
        service: "api-service".into(),
        instance: "one".into(),
        boot: Uuid::nil(),
    };
    let draft = Draft::new(UtcMicros::from_seconds(1_768_435_200), facts);
    event(&EventBody {
        id: draft.id,
        time: draft.time,
        recorded_at: draft.time,
        position: Some(7),
        time_suspect: false,
        locality: Locality::stored(Some("KR"), Some(64_500)),
        as_organisation: None,
        has_pseudonyms: false,
        content: Content::Event(Box::new(Numbered {
            source,
            seq: 1,
            facts: draft.facts,
        })),
    })
}

#[test]
fn every_event_has_what_its_class_demands() {
    let named = Identity::Verified;
    for (class, name, identity, expected) in [
        (Class::Access, action::API_REQUEST, named, 600_302),
        (Class::Access, action::API_REQUEST, Identity::None, 400_203),
        (Class::Auth, action::AUTHN_LOGIN_FAIL, named, 300_201),
        (Class::Auth, action::AUTHN_LOGIN_FAIL, Identity::None, 300_201),
        (Class::Auth, action::AUTHN_TOKEN_CREATED, named, 300_299),
        (Class::Auth, action::AUTHN_PASSWORD_CHANGE, named, 300_103),
        (
            Class::Admin,
            action::PRIVILEGE_PERMISSIONS_CHANGED,
            named,
            300_501,
        ),
        (Class::Admin, action::SENSITIVE_READ, named, 600_302),
        (Class::Admin, action::SENSITIVE_READ, Identity::None, 400_203),
        (Class::Admin, action::CLIENT_CREATED, named, 300_401),
        (Class::Admin, action::CLIENT_DELETED, named, 300_404),
        (Class::System, action::BOOT, Identity::None, 600_203),
        (Class::System, action::HEARTBEAT, Identity::None, 600_299),
        (Class::Alert, "alert_raised", Identity::None, 200_401),
    ] {
        let event = shown(facts(class, name, identity));

        assert_eq!(event["type_uid"], expected, "{name}");
        assert_eq!(objections(&event), [""; 0], "{name}: {event}");
        assert_eq!(event["metadata"]["version"], "1.8.0");
        assert!(event["metadata"]["product"]["name"].is_string());
    }
}

/// Everything that can be told of one kind of event or not be told of it.
fn variants(class: Class, name: &str) -> Vec<Facts> {
    let mut variants = Vec::new();
    for identity in [Identity::None, Identity::Claimed, Identity::Verified] {
        for bits in 0..256_u32 {
            let has = |bit: u32| bits & (1 << bit) != 0;
            let mut facts = facts(class, name, identity);
            facts.actor.username = facts.actor.username.filter(|_| has(0));
            facts.actor.jti = has(1).then(|| "jti_1".to_owned());
            facts.actor.roles = vec!["reader".to_owned()];
            facts.client = facts.client.filter(|_| has(2));
            if let Some(client) = facts.client.as_mut().filter(|_| has(3)) {
                client.peer_ip = client.ip.take();
            }
            facts.http = facts.http.filter(|_| has(4));
            facts.policy = has(5).then(|| PolicyFacts {
                route: has(6).then(|| "orders".to_owned()),
                rule: Some("deny all".to_owned()),
                door: Door::Proxy,
            });
            let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            facts.trace = has(7).then(|| TraceFacts {
                request_id: "req_1".to_owned(),
                traceparent: Some(traceparent.to_owned()),
            });
            variants.push(facts);
        }
    }
    variants
}

#[test]
fn no_event_is_refused_by_the_schema_whatever_is_known_of_it() {
    for (class, name) in [
        (Class::Access, action::API_REQUEST),
        (Class::Auth, action::AUTHN_LOGIN_FAIL),
        (Class::Auth, action::AUTHN_PASSWORD_CHANGE),
        (Class::Admin, action::SENSITIVE_READ),
        (Class::Admin, action::PRIVILEGE_PERMISSIONS_CHANGED),
        (Class::Admin, action::CLIENT_CREATED),
        (Class::System, action::HEARTBEAT),
        (Class::Alert, action::ALERT_RAISED),
    ] {
        for facts in variants(class, name) {
            let event = shown(facts);
            assert_eq!(objections(&event), [""; 0], "{name}: {event}");
        }
    }
}

#[test]
fn a_change_of_privileges_names_them() {
    let change = |before: Value, after: Value| {
        let facts = Facts::new(
            Class::Admin,
            action::PRIVILEGE_PERMISSIONS_CHANGED,
            Outcome::Success,
        );
        let event = shown(facts.with_detail("before", before).with_detail("after", after));
        (event["type_uid"].clone(), event["privileges"].clone())
    };

    let given = change(json!({"roles": []}), json!({"roles": ["admin", "reader"]}));
    assert_eq!(given, (json!(300_501), json!(["admin", "reader"])));
    let taken = change(json!({"scopes": "orders:read"}), json!({"scopes": ""}));
    assert_eq!(taken, (json!(300_502), json!(["orders:read"])));
    let untold = change(Value::Null, Value::Null);
    assert_eq!(untold, (json!(300_403), Value::Null));
}

#[test]
fn a_refusal_is_told_by_what_was_done_about_it() {
    let event = shown(facts(Class::Access, action::API_REQUEST, Identity::None));

    assert_eq!(
        (&event["action_id"], &event["disposition_id"]),
        (&json!(2), &json!(26))
    );
    assert_eq!(
        (&event["status_id"], &event["status_code"]),
        (&json!(2), &json!("401"))
    );
    assert_eq!(event["time"], 1_768_435_200_000_i64);
    assert_eq!(event["metadata"]["profiles"], json!(["security_control"]));
    assert_eq!(event["http_request"]["url"]["path"], "/a");
}
