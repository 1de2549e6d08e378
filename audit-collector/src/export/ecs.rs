//! An event as a document of the Elastic Common Schema 8 and later. Pure.

use serde_json::{Map, Value, json};
use shared::clock::UtcMicros;
use shared::event::{Class, Facts, Outcome, Source, action};

use super::json::{compact, trace_ids};
use crate::enrichment::program;
use crate::search::{Content, EventBody, Numbered};

/// The version that the names of fields are those of.
const VERSION: &str = "8.17.0";

/// The document of an event.
pub(super) fn document(event: &EventBody) -> Value {
    let own = json!({
        "@timestamp": millis(event.time),
        "ecs": {"version": VERSION},
        "event": {"id": event.id, "ingested": millis(event.recorded_at), "module": "gatelog"},
        "labels": {"position": event.position.map(|position| position.to_string()), "time_suspect": event.time_suspect.then_some("true")}
    });
    let mut document = own;
    if let Content::Event(numbered) = &event.content {
        merge(&mut document, said(numbered));
        let address = json!({
            "geo": {"country_iso_code": event.locality.country},
            "as": {"number": event.locality.asn, "organization": {"name": event.as_organisation}},
        });
        merge(&mut document, json!({"source": address, "client": address}));
    } else {
        merge(&mut document, json!({"event": {"kind": "pipeline_error"}}));
    }
    compact(document)
}

fn said(numbered: &Numbered) -> Value {
    let Numbered { source, seq, facts } = numbered;
    let (kind, category, types) = kind_of(facts);
    let outcome = match facts.outcome {
        Outcome::Granted | Outcome::Success => "success",
        Outcome::Denied | Outcome::Failure | Outcome::Error => "failure",
    };
    let mut document = json!({
        "event": {
            "kind": kind, "category": category, "type": types, "action": facts.action, "outcome": outcome, "reason": facts.reason,
            "sequence": seq, "dataset": format!("gatelog.{}", facts.class),
            "duration": facts.http.as_ref().and_then(|http| http.duration_us).map(|micros| micros.saturating_mul(1_000)),
        },
        "service": service(source),
        "user": {"id": facts.actor.sub, "name": facts.actor.username, "roles": facts.actor.roles},
        "labels": labels(facts),
        "gatelog": {"detail": facts.detail},
    });
    merge(&mut document, request(facts));
    document
}

fn service(source: &Source) -> Value {
    json!({"name": source.service, "type": "gatelog", "node": {"name": source.instance}, "ephemeral_id": source.boot})
}

fn labels(facts: &Facts) -> Value {
    let token = facts.token.as_ref();
    json!({
        "identity": crate::event_log::identity_word(facts.actor.identity),
        "client_id": facts.actor.client_id,
        "session_id": facts.actor.sid,
        "token_id": facts.actor.jti,
        "token_issuer": token.and_then(|token| token.iss.as_ref()),
        "token_algorithm": token.and_then(|token| token.alg.as_ref()),
        "reporter": facts.reporter.as_ref().map(|reporter| &reporter.sub),
    })
}

fn request(facts: &Facts) -> Value {
    let (http, client) = (facts.http.as_ref(), facts.client.as_ref());
    let agent = client.and_then(|client| client.user_agent.as_deref());
    let (trace, span) = trace_ids(facts);
    json!({
        "http": http.map(|http| json!({
            "request": {
                "method": http.method, "body": {"bytes": http.request_bytes}, "id": facts.trace.as_ref().map(|trace| &trace.request_id)
            },
            "response": {"status_code": http.status, "body": {"bytes": http.response_bytes}},
        })),
        "url": http.map(|http| json!({"path": http.path, "domain": http.host})),
        "source": client.map(|client| json!({"ip": client.ip})),
        "client": client.map(|client| json!({"ip": client.ip})),
        "network": client.map(|client| json!({"forwarded_ip": client.peer_ip.as_ref().and(client.ip.as_ref())})),
        "user_agent": agent.map(|agent| json!({"original": agent, "name": program(agent)})),
        "rule": facts.policy.as_ref().map(|policy| json!({"name": policy.route, "description": policy.rule})),
        "trace": {"id": trace},
        "span": {"id": span},
    })
}

/// `event.kind`, `event.category` and `event.type`.
fn kind_of(facts: &Facts) -> (&'static str, Vec<&'static str>, Vec<&'static str>) {
    let decided = match facts.outcome {
        Outcome::Granted | Outcome::Success => "allowed",
        Outcome::Denied | Outcome::Failure => "denied",
        Outcome::Error => "error",
    };
    let has = |part: &str| facts.action.contains(part);
    match facts.class {
        Class::Access => ("event", vec!["api", "web"], vec!["access", decided]),
        Class::Auth if has("login") || facts.action == action::SESSION_CREATED => {
            ("event", vec!["authentication"], vec!["start", decided])
        }
        Class::Auth if has("logout") || has("revoked") => {
            ("event", vec!["authentication", "session"], vec!["end"])
        }
        Class::Auth if has("password") || has("mfa_factor") => ("event", vec!["iam"], vec!["user", "change"]),
        Class::Auth => ("event", vec!["authentication"], vec!["info", decided]),
        Class::Admin if facts.action == action::SENSITIVE_READ => {
            ("event", vec!["database"], vec!["access", decided])
        }
        Class::Admin => {
            let change = if has("created") {
                "creation"
            } else if has("deleted") {
                "deletion"
            } else {
                "change"
            };
            ("event", vec!["iam", "configuration"], vec!["admin", change])
        }
        Class::System => ("event", vec!["process"], vec!["info"]),
        Class::Alert => ("alert", vec!["intrusion_detection"], vec!["info"]),
    }
}

/// RFC 3339 with the milliseconds that Elasticsearch keeps by default.
fn millis(time: UtcMicros) -> String {
    let text = time.to_string();
    format!("{}Z", text.get(..text.len().saturating_sub(4)).unwrap_or(&text))
}

/// Adds the members of `more`, object by object.
fn merge(into: &mut Value, more: Value) {
    match (into, more) {
        (Value::Object(into), Value::Object(more)) => {
            for (name, value) in more {
                merge(
                    into.entry(name).or_insert_with(|| Value::Object(Map::new())),
                    value,
                );
            }
        }
        (into, more) => *into = more,
    }
}

#[cfg(test)]
mod tests {
    use shared::event::{ClientFacts, HttpFacts, Identity, TraceFacts};
    use uuid::Uuid;

    use super::*;
    use crate::enrichment::Locality;

    fn source() -> Source {
        Source {
            service: "api-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        }
    }

    #[test]
    fn a_request_is_where_elastic_looks_for_it() {
        let mut facts =
            Facts::new(Class::Access, action::API_REQUEST, Outcome::Denied).because("token_expired");
        facts.actor.identity = Identity::Claimed;
        facts.actor.sub = Some("usr_1".into());
        facts.client = Some(ClientFacts {
            ip: Some("192.0.2.7".into()),
            user_agent: Some("curl/8".into()),
            ..ClientFacts::default()
        });
        facts.http = Some(HttpFacts {
            method: "GET".into(),
            path: "/a".into(),
            status: Some(401),
            duration_us: Some(12),
            ..HttpFacts::default()
        });
        facts.trace = Some(TraceFacts {
            request_id: "req_1".into(),
            traceparent: Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".into()),
        });
        let time = UtcMicros::from_micros(1_768_435_200_123_456);
        let numbered = Numbered {
            source: source(),
            seq: 3,
            facts,
        };

        let document = document(&EventBody {
            id: Uuid::nil(),
            time,
            recorded_at: time,
            position: Some(7),
            time_suspect: false,
            locality: Locality::stored(Some("KR"), Some(64_500)),
            as_organisation: None,
            has_pseudonyms: false,
            content: Content::Event(Box::new(numbered)),
        });

        assert_eq!(
            document,
            json!({
                "@timestamp": "2026-01-15T00:00:00.123Z",
                "ecs": {"version": VERSION},
                "event": {
                    "id": Uuid::nil(), "ingested": "2026-01-15T00:00:00.123Z", "module": "gatelog", "kind": "event",
                    "category": ["api", "web"], "type": ["access", "denied"], "action": "api_request", "outcome": "failure",
                    "reason": "token_expired", "sequence": 3, "dataset": "gatelog.access", "duration": 12_000
                },
                "service": {"name": "api-service", "type": "gatelog", "node": {"name": "one"}, "ephemeral_id": Uuid::nil()},
                "user": {"id": "usr_1"},
                "labels": {"position": "7", "identity": "claimed"},
                "http": {"request": {"method": "GET", "id": "req_1"}, "response": {"status_code": 401}},
                "url": {"path": "/a"},
                "source": {"ip": "192.0.2.7", "geo": {"country_iso_code": "KR"}, "as": {"number": 64_500}},
                "client": {"ip": "192.0.2.7", "geo": {"country_iso_code": "KR"}, "as": {"number": 64_500}},
                "user_agent": {"original": "curl/8", "name": "curl"},
                "trace": {"id": "0af7651916cd43dd8448eb211c80319c"},
                "span": {"id": "b7ad6b7169203331"}
            })
        );
    }
}
