//! An event in the Open Cybersecurity Schema Framework 1.8. Pure.
//!
//! Which class an event becomes follows from its own class and what is known of it: API Activity (6003) demands an actor, so a request of
//! nobody is HTTP Activity (4002); the others are listed in `docs/export.md`. What has no place stands in `unmapped`.

use serde_json::{Map, Value, json};
use shared::event::{Class, Facts, Outcome, action};

use super::columns::is_named;
use super::json::{compact, trace_ids};
use crate::search::{Content, EventBody, Numbered};

const VERSION: &str = "1.8.0";

/// The activity of what has none of its own in a class.
const OTHER: (u32, &str) = (99, "Other");

/// What an event is in OCSF.
struct Kind {
    class: u32,
    activity: (u32, &'static str),
}

impl Kind {
    const fn of(class: u32, number: u32, name: &'static str) -> Self {
        Self {
            class,
            activity: (number, name),
        }
    }

    const fn category(&self) -> u32 {
        self.class / 1000
    }
}

/// The OCSF event of an event.
pub(super) fn event(event: &EventBody) -> Value {
    let Content::Event(numbered) = &event.content else {
        return compact(unreadable(event));
    };
    let Numbered { source, seq, facts } = &**numbered;
    let kind = kind(facts);
    let (trace, span) = trace_ids(facts);
    let (status_id, status) = match facts.outcome {
        Outcome::Granted | Outcome::Success => (1, "Success"),
        Outcome::Denied | Outcome::Failure | Outcome::Error => (2, "Failure"),
    };
    let (severity_id, severity) = severity(facts);
    let mut shown = json!({
        "class_uid": kind.class,
        "category_uid": kind.category(),
        "activity_id": kind.activity.0,
        "activity_name": kind.activity.1,
        "type_uid": kind.class * 100 + kind.activity.0,
        "time": event.time.as_micros().div_euclid(1_000),
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "status_code": facts.http.as_ref().and_then(|http| http.status).map(|status| status.to_string()),
        "status_detail": facts.reason,
        "metadata": {
            "version": VERSION,
            "uid": event.id,
            "sequence": seq,
            "product": {"name": "Gatelog", "vendor_name": "Gatelog", "version": env!("CARGO_PKG_VERSION"), "feature": {"name": source.service}},
            "log_name": facts.class.as_str(),
            "log_provider": source.to_string(),
            "event_code": facts.action,
            "logged_time": event.recorded_at.as_micros().div_euclid(1_000),
            "original_time": event.time.to_string(),
            "profiles": profiles(facts, trace.is_some()),
        },
        "trace": {"uid": trace, "span": {"uid": span}},
        "unmapped": unmapped(event, facts),
    });
    add(&mut shown, decision(facts));
    add(&mut shown, parties(event, facts));
    add(&mut shown, particular(&kind, event, facts));
    compact(shown)
}

/// An event whose bytes somebody has changed: the base event, which demands no more than this.
fn unreadable(event: &EventBody) -> Value {
    json!({
        "class_uid": 0, "category_uid": 0, "activity_id": 0, "type_uid": 0, "severity_id": 0,
        "time": event.time.as_micros().div_euclid(1_000),
        "metadata": {"version": VERSION, "uid": event.id, "product": {"name": "Gatelog", "vendor_name": "Gatelog"}},
        "unmapped": {"unreadable": true},
    })
}

fn kind(facts: &Facts) -> Kind {
    let has = |part: &str| facts.action.contains(part);
    match facts.class {
        Class::Access if is_named(facts) => api_activity(facts),
        Class::Access => http_activity(facts),
        Class::Auth => authentication(facts),
        Class::Admin if facts.action == action::PRIVILEGE_PERMISSIONS_CHANGED => {
            Kind::of(3005, 1, "Assign Privileges")
        }
        Class::Admin if facts.action == action::SENSITIVE_READ && is_named(facts) => {
            Kind::of(6003, 2, "Read")
        }
        Class::Admin if facts.action == action::SENSITIVE_READ => http_activity(facts),
        Class::Admin if has("created") || has("issued") => Kind::of(3004, 1, "Create"),
        Class::Admin if has("deleted") || has("dropped") || has("lifted") => Kind::of(3004, 4, "Delete"),
        Class::Admin => Kind::of(3004, 3, "Update"),
        Class::System if facts.action == action::BOOT => Kind::of(6002, 3, "Start"),
        Class::System if facts.action == action::BYE => Kind::of(6002, 4, "Stop"),
        Class::System => Kind::of(6002, OTHER.0, OTHER.1),
        Class::Alert => Kind::of(2004, 1, "Create"),
    }
}

fn api_activity(facts: &Facts) -> Kind {
    let method = facts.http.as_ref().map(|http| http.method.as_str());
    let (number, name) = match method {
        Some("GET" | "HEAD" | "OPTIONS") => (2, "Read"),
        Some("POST") => (1, "Create"),
        Some("PUT" | "PATCH") => (3, "Update"),
        Some("DELETE") => (4, "Delete"),
        _ => OTHER,
    };
    Kind::of(6003, number, name)
}

fn http_activity(facts: &Facts) -> Kind {
    let method = facts.http.as_ref().map(|http| http.method.as_str());
    let (number, name) = match method {
        Some("CONNECT") => (1, "Connect"),
        Some("DELETE") => (2, "Delete"),
        Some("GET") => (3, "Get"),
        Some("HEAD") => (4, "Head"),
        Some("OPTIONS") => (5, "Options"),
        Some("POST") => (6, "Post"),
        Some("PUT") => (7, "Put"),
        Some("TRACE") => (8, "Trace"),
        Some("PATCH") => (9, "Patch"),
        _ => OTHER,
    };
    Kind::of(4002, number, name)
}

fn authentication(facts: &Facts) -> Kind {
    match facts.action.as_str() {
        action::AUTHN_LOGIN_SUCCESS | action::AUTHN_LOGIN_FAIL | action::SESSION_CREATED => {
            Kind::of(3002, 1, "Logon")
        }
        action::AUTHN_LOGOUT => Kind::of(3002, 2, "Logoff"),
        action::AUTHN_MFA_CHALLENGE | action::AUTHN_MFA_SUCCESS | action::AUTHN_MFA_FAIL => {
            Kind::of(3002, 6, "Preauth")
        }
        action::AUTHN_PASSWORD_CHANGE => Kind::of(3001, 3, "Password Change"),
        action::AUTHN_LOGIN_LOCK => Kind::of(3001, 9, "Lock"),
        action::MFA_FACTOR_ADDED => Kind::of(3001, 10, "MFA Factor Enable"),
        action::MFA_FACTOR_REMOVED => Kind::of(3001, 11, "MFA Factor Disable"),
        _ => Kind::of(3002, OTHER.0, OTHER.1),
    }
}

fn severity(facts: &Facts) -> (u32, &'static str) {
    match (facts.class, facts.outcome) {
        (Class::Alert, _) => (4, "High"),
        _ if facts.action == action::AUTHN_TOKEN_REUSE => (4, "High"),
        (_, Outcome::Error) => (3, "Medium"),
        (_, Outcome::Denied | Outcome::Failure) => (2, "Low"),
        (_, Outcome::Granted | Outcome::Success) => (1, "Informational"),
    }
}

fn profiles(facts: &Facts, has_trace: bool) -> Vec<&'static str> {
    let is_decided = facts.class == Class::Access;
    let named = [("security_control", is_decided), ("trace", has_trace)];
    named
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect()
}

/// What the door decided, by the profile `security_control`.
fn decision(facts: &Facts) -> Value {
    if facts.class != Class::Access {
        return json!({});
    }
    let is_unauthorised = facts.http.as_ref().is_some_and(|http| http.status == Some(401));
    let (action_id, disposition_id, disposition) = match facts.outcome {
        Outcome::Granted | Outcome::Success => (1, 1, "Allowed"),
        Outcome::Denied | Outcome::Failure if is_unauthorised => (2, 26, "Unauthorized"),
        Outcome::Denied | Outcome::Failure => (2, 2, "Blocked"),
        Outcome::Error => (99, 99, "Other"),
    };
    json!({"action_id": action_id, "disposition_id": disposition_id, "disposition": disposition})
}

/// Who asked from where for what.
fn parties(event: &EventBody, facts: &Facts) -> Value {
    let (http, client) = (facts.http.as_ref(), facts.client.as_ref());
    let user = user(facts);
    json!({
        "actor": {
            "user": user,
            "app_uid": facts.actor.client_id,
            "session": {
                "uid": facts.actor.sid, "issuer": facts.token.as_ref().and_then(|token| token.iss.as_ref()),
                "credential_uid": facts.actor.jti,
            },
            "authorizations": facts.policy.as_ref().map(|policy| vec![json!({
                "decision": facts.outcome.as_str(), "policy": {"name": policy.route, "desc": policy.rule}
            })]),
        },
        "src_endpoint": client.map(|client| json!({
            "ip": client.ip,
            "location": {"country": event.locality.country},
            "autonomous_system": {"number": event.locality.asn, "name": event.as_organisation},
            "intermediate_ips": client.peer_ip.iter().filter(|peer| Some(*peer) != client.ip.as_ref()).collect::<Vec<_>>(),
        })),
        "http_request": http.map(|http| json!({
            "http_method": http.method,
            "uid": facts.trace.as_ref().map(|trace| &trace.request_id),
            "user_agent": client.and_then(|client| client.user_agent.as_ref()),
            "url": {"path": http.path, "hostname": http.host},
            "body_length": http.request_bytes,
        })),
        "http_response": http.and_then(|http| http.status.map(|status| json!({
            "code": status,
            "body_length": http.response_bytes,
            "latency": http.duration_us.map(|micros| micros / 1_000),
        }))),
    })
}

fn user(facts: &Facts) -> Value {
    let actor = &facts.actor;
    let is_machine = actor.sub.is_some() && actor.sub == actor.client_id;
    let type_id = if is_machine { 4 } else { 1 };
    let is_known = actor.sub.is_some() || actor.username.is_some();
    json!({
        "uid": actor.sub,
        "name": actor.username,
        "type_id": is_known.then_some(type_id),
        "groups": actor.roles.iter().map(|role| json!({"name": role})).collect::<Vec<_>>(),
    })
}

/// What the class demands beside.
fn particular(kind: &Kind, event: &EventBody, facts: &Facts) -> Value {
    let http = facts.http.as_ref();
    let template = http.map(|http| http.route.as_deref().unwrap_or(&http.path));
    let operation = http.map_or(facts.action.clone(), |http| {
        format!("{} {}", http.method, template.unwrap_or("/"))
    });
    // Those who are nobody we know have a name all the same, since these classes demand a user.
    let named = match user(facts) {
        user if is_named(facts) => user,
        _ => json!({"name": "unknown", "type_id": 0}),
    };
    match kind.class {
        6003 => {
            json!({"api": {"operation": operation, "service": {"name": facts.policy.as_ref().and_then(|policy| policy.route.as_ref())}}})
        }
        3002 => json!({
            "user": named,
            "auth_protocol_id": 6,
            "is_remote": true,
            "service": {"name": "auth-service"},
            "activity_name": (kind.activity.0 == OTHER.0).then_some(&facts.action),
        }),
        3001 => json!({"user": named}),
        3005 => json!({
            "user": {"uid": facts.detail.get("user_id"), "name": facts.detail.get("username").or_else(|| facts.detail.get("role"))},
            "activity_name": facts.action,
        }),
        3004 => json!({"entity": {"name": facts.action, "data": facts.detail}}),
        6002 => json!({"app": {"name": "Gatelog", "vendor_name": "Gatelog"}, "activity_name": facts.action}),
        2004 => json!({
            "is_alert": true,
            "finding_info": {
                "uid": event.id, "title": facts.detail.get("title").cloned().unwrap_or_else(|| facts.action.clone().into()),
                "analytic": {"type_id": 1, "type": "Rule", "uid": facts.detail.get("rule")},
            },
        }),
        _ => json!({}),
    }
}

fn unmapped(event: &EventBody, facts: &Facts) -> Value {
    json!({
        "position": event.position,
        "time_suspect": event.time_suspect.then_some(true),
        "identity": crate::event_log::identity_word(facts.actor.identity),
        "reporter": facts.reporter,
        "token": facts.token,
        "detail": facts.detail,
    })
}

fn add(into: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    let members: Option<&mut Map<String, Value>> = into.as_object_mut();
    if let Some(members) = members {
        // What is nothing does not take the place of something.
        members.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

#[cfg(test)]
mod tests {
    use shared::clock::UtcMicros;
    use shared::event::{ClientFacts, Draft, HttpFacts, Identity, Source};
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
        (3005, &["user"]),
        (4002, &["http_request"]),
        (6002, &["app"]),
        (6003, &["actor", "api", "src_endpoint"]),
    ];

    fn shown(class: Class, name: &str, identity: Identity) -> Value {
        let mut facts = Facts::new(class, name, Outcome::Denied).with_detail("username", "bob");
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
            let event = shown(class, name, identity);

            assert_eq!(event["type_uid"], expected, "{name}");
            let class_uid = expected / 100;
            let demanded = DEMANDED.iter().find(|(class, _)| *class == class_uid).unwrap().1;
            for member in BASE.iter().chain(demanded) {
                assert!(event.get(*member).is_some(), "{name} has no {member}: {event}");
            }
            assert_eq!(event["metadata"]["version"], "1.8.0");
            assert!(event["metadata"]["product"]["name"].is_string());
        }
    }

    #[test]
    fn a_refusal_is_told_by_what_was_done_about_it() {
        let event = shown(Class::Access, action::API_REQUEST, Identity::None);

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
}
