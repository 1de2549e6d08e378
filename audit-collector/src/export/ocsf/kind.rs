//! Which class of OCSF an event becomes, and what that class has room for. Pure.

use serde_json::Value;
use shared::event::{Class, Facts, action};

use crate::export::columns::is_named;

/// The activity of what has none of its own in a class.
pub(super) const OTHER: (u32, &str) = (99, "Other");

/// What an event is in OCSF.
pub(super) struct Kind {
    pub(super) class: u32,
    pub(super) activity: (u32, &'static str),
}

impl Kind {
    const fn of(class: u32, number: u32, name: &'static str) -> Self {
        Self {
            class,
            activity: (number, name),
        }
    }

    pub(super) const fn category(&self) -> u32 {
        self.class / 1000
    }

    /// Whether it demands who acted and from where.
    pub(super) const fn demands_parties(&self) -> bool {
        self.class == 6003
    }

    /// Whether it has an actor of its own; the others have one by the profile `host`.
    pub(super) const fn has_actor(&self) -> bool {
        matches!(self.class, 3001 | 3002 | 3004 | 3005 | 6003)
    }

    /// Whether it has a request and where that came from.
    pub(super) const fn has_request(&self) -> bool {
        !matches!(self.class, 2004 | 6002)
    }

    /// Whether it may have the profile `trace`.
    pub(super) const fn has_trace(&self) -> bool {
        matches!(self.class, 4002 | 6003)
    }
}

/// The class of an event.
pub(super) fn kind(facts: &Facts) -> Kind {
    let has = |part: &str| facts.action.contains(part);
    // HTTP Activity demands a request.
    let is_api = is_named(facts) || facts.http.is_none();
    match facts.class {
        Class::Access if is_api => api_activity(facts),
        Class::Access => http_activity(facts),
        Class::Auth => authentication(facts),
        Class::Admin if facts.action == action::PRIVILEGE_PERMISSIONS_CHANGED => user_access(facts),
        Class::Admin if facts.action == action::SENSITIVE_READ && is_api => Kind::of(6003, 2, "Read"),
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

/// User Access Management demands privileges.
fn user_access(facts: &Facts) -> Kind {
    match (privileges(facts, "after"), privileges(facts, "before")) {
        (Some(_), _) => Kind::of(3005, 1, "Assign Privileges"),
        (None, Some(_)) => Kind::of(3005, 2, "Revoke Privileges"),
        (None, None) => Kind::of(3004, 3, "Update"),
    }
}

/// The roles of a user or the scopes of a role, `before` or `after` a change; `None` if there were none.
pub(super) fn privileges<'f>(facts: &'f Facts, when: &str) -> Option<Vec<&'f str>> {
    let told = facts.detail.get(when)?;
    let named: Vec<&str> = match (&told["roles"], &told["scopes"]) {
        (Value::Array(roles), _) => roles.iter().filter_map(Value::as_str).collect(),
        (_, Value::String(scopes)) => scopes.split_whitespace().collect(),
        _ => Vec::new(),
    };
    (!named.is_empty()).then_some(named)
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
