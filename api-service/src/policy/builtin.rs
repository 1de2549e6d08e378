//! The routes to Gatelog itself, so that a client knows one URL (DESIGN §2).

use std::sync::Arc;

use http::Method;
use shared::token::AudienceRule;

use super::{Allow, Audit, Route, Target, Upstream};

/// A service of Gatelog.
#[derive(Clone, Copy)]
enum Service {
    Door,
    Auth,
    Collector,
}

/// Whom the door lets in; the services verify once more by themselves.
#[derive(Clone, Copy)]
enum Who {
    Anyone,
    SignedIn,
    Scope(&'static str),
}

/// Name, method, template, whom, where.
const ROUTES: &[(&str, Method, &str, Who, Service)] = &[
    ("me", Method::GET, "/api/me", Who::SignedIn, Service::Door),
    ("setup", Method::POST, "/v1/setup", Who::Anyone, Service::Auth),
    ("login", Method::POST, "/v1/login", Who::Anyone, Service::Auth),
    ("logout", Method::POST, "/v1/logout", Who::SignedIn, Service::Auth),
    (
        "session-list",
        Method::GET,
        "/v1/sessions",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "session-end",
        Method::DELETE,
        "/v1/sessions/{id}",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "password",
        Method::POST,
        "/v1/password",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-token",
        Method::POST,
        "/oauth/token",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "jwks",
        Method::GET,
        "/.well-known/jwks.json",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-metadata",
        Method::GET,
        "/.well-known/oauth-authorization-server",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "user-create",
        Method::POST,
        "/v1/admin/users",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-list",
        Method::GET,
        "/v1/admin/users",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-read",
        Method::GET,
        "/v1/admin/users/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-update",
        Method::PATCH,
        "/v1/admin/users/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-delete",
        Method::DELETE,
        "/v1/admin/users/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-password-reset",
        Method::POST,
        "/v1/admin/users/{id}/password-reset",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "role-list",
        Method::GET,
        "/v1/admin/roles",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "role-create",
        Method::POST,
        "/v1/admin/roles",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "role-update",
        Method::PATCH,
        "/v1/admin/roles/{name}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "role-delete",
        Method::DELETE,
        "/v1/admin/roles/{name}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-session-list",
        Method::GET,
        "/v1/admin/sessions",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-sessions-end",
        Method::DELETE,
        "/v1/admin/sessions",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "user-session-end",
        Method::DELETE,
        "/v1/admin/sessions/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "key-list",
        Method::GET,
        "/v1/admin/keys",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "lockout-list",
        Method::GET,
        "/v1/admin/lockouts",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "key-rotate",
        Method::POST,
        "/v1/admin/keys/rotate",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "key-revoke",
        Method::POST,
        "/v1/admin/keys/{kid}/revoke",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "lockout-clear",
        Method::DELETE,
        "/v1/admin/lockouts/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "event-list",
        Method::GET,
        "/v1/events",
        Who::Scope("audit:read"),
        Service::Collector,
    ),
    (
        "event-read",
        Method::GET,
        "/v1/events/{id}",
        Who::Scope("audit:read"),
        Service::Collector,
    ),
    (
        "stats-summary",
        Method::GET,
        "/v1/stats/summary",
        Who::Scope("audit:read"),
        Service::Collector,
    ),
];

/// The routes, leading to the two upstreams.
pub(super) fn routes(auth: &Arc<Upstream>, collector: &Arc<Upstream>) -> Vec<Route> {
    let route = |(name, method, template, who, service): &(&str, Method, &str, Who, Service)| Route {
        name: (*name).to_owned(),
        host: None,
        method: method.clone(),
        template: (*template).to_owned(),
        allow: match who {
            Who::Anyone => Allow::Anyone,
            Who::SignedIn => Allow::SignedIn,
            Who::Scope(scope) => Allow::Scope((*scope).to_owned()),
        },
        // Every bearer may ask who it is; all else here is Gatelog's own.
        audience: match service {
            Service::Door => AudienceRule::Either,
            Service::Auth | Service::Collector => AudienceRule::Gatelog,
        },
        target: match service {
            Service::Door => Target::Me,
            Service::Auth => Target::Upstream(Arc::clone(auth)),
            Service::Collector => Target::Upstream(Arc::clone(collector)),
        },
        forward_token: true,
        audit: Audit::Durable,
    };
    ROUTES.iter().map(route).collect()
}
