//! An event in the Open Cybersecurity Schema Framework 1.8. Pure.
//!
//! Which class an event becomes follows from its own class and what is known of it: API Activity (6003) demands an actor, so a request of
//! nobody is HTTP Activity (4002); the others are listed in `docs/export.md`. What has no place stands in `unmapped`.

mod kind;

use serde_json::{Map, Value, json};
use shared::event::{Class, Facts, Outcome, action};

use self::kind::{Kind, OTHER, kind, privileges};
use super::columns::is_named;
use super::json::{compact, trace_ids};
use crate::search::{Content, EventBody, Numbered};

const VERSION: &str = "1.8.0";

/// The name of a party that a class demands and that is not known.
const UNKNOWN: &str = "unknown";

/// The OCSF event of an event.
pub(super) fn event(event: &EventBody) -> Value {
    let Content::Event(numbered) = &event.content else {
        return compact(unreadable(event));
    };
    let Numbered { source, seq, facts } = &**numbered;
    let kind = kind(facts);
    let (status_id, status) = match facts.outcome {
        Outcome::Granted | Outcome::Success => (1, "Success"),
        Outcome::Denied | Outcome::Failure | Outcome::Error => (2, "Failure"),
    };
    let (severity_id, severity) = severity(facts);
    let (actor, trace) = (actor(&kind, facts), trace(&kind, facts));
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
            "profiles": profiles(&kind, facts, (&actor, &trace)),
        },
        "actor": actor,
        "trace": trace,
        "unmapped": unmapped(&kind, event, facts),
    });
    add(&mut shown, decision(facts));
    if kind.has_request() {
        add(&mut shown, request(&kind, event, facts));
    }
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

fn severity(facts: &Facts) -> (u32, &'static str) {
    match (facts.class, facts.outcome) {
        (Class::Alert, _) => (4, "High"),
        _ if facts.action == action::AUTHN_TOKEN_REUSE => (4, "High"),
        (_, Outcome::Error) => (3, "Medium"),
        (_, Outcome::Denied | Outcome::Failure) => (2, "Low"),
        (_, Outcome::Granted | Outcome::Success) => (1, "Informational"),
    }
}

/// The profiles whose members it has.
fn profiles(kind: &Kind, facts: &Facts, (actor, trace): (&Value, &Value)) -> Vec<&'static str> {
    let named = [
        ("host", !kind.has_actor() && !actor.is_null()),
        ("security_control", is_decided(facts)),
        ("trace", !trace.is_null()),
    ];
    named
        .into_iter()
        .filter(|(_, has)| *has)
        .map(|(name, _)| name)
        .collect()
}

/// The trace that the request belongs to. The span that it names is the caller's, of which the times that a span demands are not known.
fn trace(kind: &Kind, facts: &Facts) -> Value {
    match trace_ids(facts) {
        (Some(trace), _) if kind.has_trace() => json!({"uid": trace}),
        _ => Value::Null,
    }
}

fn is_decided(facts: &Facts) -> bool {
    facts.class == Class::Access || facts.policy.is_some()
}

/// What the door decided and by what, by the profile `security_control`.
fn decision(facts: &Facts) -> Value {
    if !is_decided(facts) {
        return json!({});
    }
    let is_unauthorised = facts.http.as_ref().is_some_and(|http| http.status == Some(401));
    let (action_id, disposition_id, disposition) = match facts.outcome {
        Outcome::Granted | Outcome::Success => (1, 1, "Allowed"),
        Outcome::Denied | Outcome::Failure if is_unauthorised => (2, 26, "Unauthorized"),
        Outcome::Denied | Outcome::Failure => (2, 2, "Blocked"),
        Outcome::Error => (99, 99, "Other"),
    };
    json!({
        "action_id": action_id,
        "disposition_id": disposition_id,
        "disposition": disposition,
        "authorizations": facts.policy.as_ref().map(|policy| vec![json!({
            "decision": facts.outcome.as_str(),
            "policy": {"name": policy.route.as_ref().or(policy.rule.as_ref()), "desc": policy.rule},
        })]),
    })
}

/// Who asked; null if nothing is known of that and it is not demanded.
fn actor(kind: &Kind, facts: &Facts) -> Value {
    let actor = compact(json!({
        "user": user(facts),
        "app_uid": facts.actor.client_id,
        "session": {
            "uid": facts.actor.sid, "issuer": facts.token.as_ref().and_then(|token| token.iss.as_ref()),
            "credential_uid": facts.actor.jti,
        },
    }));
    match actor {
        Value::Object(members) if !members.is_empty() => Value::Object(members),
        _ if kind.demands_parties() => json!({"user": nobody()}),
        _ => Value::Null,
    }
}

/// From where was asked, for what, and with which answer.
fn request(kind: &Kind, event: &EventBody, facts: &Facts) -> Value {
    let (http, client) = (facts.http.as_ref(), facts.client.as_ref());
    let has_source = client.is_some() || kind.demands_parties();
    json!({
        "src_endpoint": has_source.then(|| source(event, facts)),
        "http_request": {
            "http_method": http.map(|http| &http.method),
            "uid": facts.trace.as_ref().map(|trace| &trace.request_id),
            "user_agent": client.and_then(|client| client.user_agent.as_ref()),
            "url": http.map(|http| json!({"path": http.path, "hostname": http.host})),
            "body_length": http.and_then(|http| http.request_bytes),
        },
        "http_response": http.and_then(|http| http.status.map(|status| json!({
            "code": status,
            "body_length": http.response_bytes,
            "latency": http.duration_us.map(|micros| micros / 1_000),
        }))),
    })
}

/// An end point has an address or a name.
fn source(event: &EventBody, facts: &Facts) -> Value {
    let client = facts.client.as_ref();
    let ip = client.and_then(|client| client.ip.as_ref());
    let peer = client.and_then(|client| client.peer_ip.as_ref());
    json!({
        "ip": ip,
        "name": ip.is_none().then_some(UNKNOWN),
        "location": {"country": event.locality.country},
        "autonomous_system": {"number": event.locality.asn, "name": event.as_organisation},
        "intermediate_ips": peer.into_iter().filter(|peer| Some(*peer) != ip).collect::<Vec<_>>(),
    })
}

/// A user has an id or a name.
fn user(facts: &Facts) -> Option<Value> {
    let actor = &facts.actor;
    let is_machine = actor.sub.is_some() && actor.sub == actor.client_id;
    let is_known = actor.sub.is_some() || actor.username.is_some();
    is_known.then(|| {
        json!({
            "uid": actor.sub,
            "name": actor.username,
            "type_id": if is_machine { 4 } else { 1 },
            "groups": actor.roles.iter().map(|role| json!({"name": role})).collect::<Vec<_>>(),
        })
    })
}

/// Those who are nobody we know have a name all the same where a class demands a user.
fn nobody() -> Value {
    json!({"name": UNKNOWN, "type_id": 0})
}

/// What the class demands beside.
fn particular(kind: &Kind, event: &EventBody, facts: &Facts) -> Value {
    let http = facts.http.as_ref();
    let template = http.map(|http| http.route.as_deref().unwrap_or(&http.path));
    let operation = http.map_or(facts.action.clone(), |http| {
        format!("{} {}", http.method, template.unwrap_or("/"))
    });
    let named = user(facts).filter(|_| is_named(facts)).unwrap_or_else(nobody);
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
            "user": changed(facts),
            "privileges": privileges(facts, "after").or_else(|| privileges(facts, "before")),
            "activity_name": facts.action,
        }),
        3004 => json!({"entity": {"name": facts.action, "data": facts.detail}}),
        6002 => json!({"app": {"name": "Gatelog", "vendor_name": "Gatelog"}, "activity_name": facts.action}),
        2004 => json!({
            "is_alert": true,
            "finding_info": {
                "uid": event.id, "title": facts.detail.get("title").cloned().unwrap_or_else(|| facts.action.clone().into()),
                "analytic": facts.detail.get("rule").map(|rule| json!({"type_id": 1, "type": "Rule", "uid": rule})),
            },
        }),
        _ => json!({}),
    }
}

/// Whose privileges have changed: a user's, or those of all who have a role.
fn changed(facts: &Facts) -> Value {
    let (uid, name) = (facts.detail.get("user_id"), facts.detail.get("username"));
    match (uid, name.or_else(|| facts.detail.get("role"))) {
        (None, None) => nobody(),
        (uid, name) => json!({"uid": uid, "name": name}),
    }
}

fn unmapped(kind: &Kind, event: &EventBody, facts: &Facts) -> Value {
    let is_unplaced = !kind.has_request();
    let trace = facts.trace.as_ref();
    json!({
        "position": event.position,
        "time_suspect": event.time_suspect.then_some(true),
        "identity": crate::event_log::identity_word(facts.actor.identity),
        "reporter": facts.reporter,
        "token": facts.token,
        "traceparent": trace.and_then(|trace| trace.traceparent.as_ref()),
        "request_id": trace.filter(|_| is_unplaced).map(|trace| &trace.request_id),
        "client": facts.client.as_ref().filter(|_| is_unplaced),
        "http": facts.http.as_ref().filter(|_| is_unplaced),
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
mod tests;
