//! The routes to Gatelog itself, so that a client knows one URL (DESIGN §2).

mod administration;
mod console;
mod hosted_page;
mod log;
mod protected_resource;
mod second_factor;

use std::sync::Arc;

use http::Method;
use shared::token::AudienceRule;

use super::{Allow, Audit, Passage, Revocation, Route, StreamEnd, Target, Upstream};
use crate::rate_limit::{Per, Quota, RateRule};
pub(crate) use protected_resource::{PROTECTED_RESOURCE_PATH, of_hosts as protected_resources};

/// How often one client may report: a hundred entries at a time, more than one door takes in otherwise.
const REPORTS: &str = "100/s";

/// A service of Gatelog.
#[derive(Clone, Copy)]
enum Service {
    Door,
    Intake,
    Description,
    ProtectedResource,
    Auth,
    Collector,
    Console,
}

/// Whom the door lets in; the services verify once more by themselves.
#[derive(Clone, Copy)]
enum Who {
    Anyone,
    SignedIn,
    Scope(&'static str),
    /// Whoever has a token for anything: it only asks who it is.
    Bearer,
}

/// Name, method, template, whom, where.
type Row = (&'static str, Method, &'static str, Who, Service);

const ROUTES: &[Row] = &[
    ("me", Method::GET, "/api/me", Who::SignedIn, Service::Door),
    (
        "intake",
        Method::POST,
        "/v1/intake",
        Who::Scope("audit:write"),
        Service::Intake,
    ),
    (
        "description",
        Method::GET,
        "/openapi.json",
        Who::Anyone,
        Service::Description,
    ),
    protected_resource::ROUTE,
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
        "password-change",
        Method::POST,
        "/v1/password/change",
        Who::SignedIn,
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
        "oauth-revoke",
        Method::POST,
        "/oauth/revoke",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-introspect",
        Method::POST,
        "/oauth/introspect",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-metadata-of-path",
        Method::GET,
        "/.well-known/oauth-authorization-server/{path..}",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "api-key-list",
        Method::GET,
        "/v1/api-keys",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "api-key-create",
        Method::POST,
        "/v1/api-keys",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "api-key-delete",
        Method::DELETE,
        "/v1/api-keys/{id}",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "block-list",
        Method::GET,
        "/v1/admin/blocks",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "block-create",
        Method::POST,
        "/v1/admin/blocks",
        Who::Scope("admin"),
        Service::Auth,
    ),
    (
        "block-lift",
        Method::DELETE,
        "/v1/admin/blocks/{id}",
        Who::Scope("admin"),
        Service::Auth,
    ),
];

/// The routes, leading to the two upstreams.
pub(super) fn routes(auth: &Arc<Upstream>, collector: &Arc<Upstream>) -> Vec<Route> {
    let allow = |who| match who {
        Who::Anyone => Allow::Anyone,
        Who::SignedIn | Who::Bearer => Allow::SignedIn,
        Who::Scope(scope) => Allow::Scope(scope.to_owned()),
    };
    let route = |(name, method, template, who, service): Row| Route {
        name: name.to_owned(),
        host: None,
        method,
        template: template.to_owned(),
        allow: allow(who),
        rule: allow(who).to_string(),
        // Every bearer may ask who it is; all else here is Gatelog's own.
        audience: match (who, service) {
            (Who::Bearer, _) | (_, Service::Door | Service::ProtectedResource) => AudienceRule::Either,
            (
                _,
                Service::Intake
                | Service::Description
                | Service::Auth
                | Service::Collector
                | Service::Console,
            ) => AudienceRule::Gatelog,
        },
        target: match service {
            Service::Door => Target::Me,
            Service::Intake => Target::Intake,
            Service::Description => Target::Description,
            Service::ProtectedResource => Target::ProtectedResource,
            Service::Auth => Target::Upstream(Arc::clone(auth)),
            Service::Collector | Service::Console => Target::Upstream(Arc::clone(collector)),
        },
        forward_token: true,
        audit: audit(service),
        rates: rates(name, service),
        revocation: Revocation::Required,
        stream_end: stream_end(name),
        passage: Passage::default(),
    };
    let who = Who::Scope("admin");
    let administration = administration::ROUTES.iter().cloned();
    let administration =
        administration.map(|(name, method, template)| (name, method, template, who, Service::Auth));
    let pages = hosted_page::ROUTES.iter().cloned();
    let factors = second_factor::ROUTES.iter().cloned();
    let console = console::ROUTES.iter().cloned();
    ROUTES
        .iter()
        .cloned()
        .chain(pages)
        .chain(factors)
        .chain(console)
        .chain(administration)
        .chain(log::rows())
        .map(route)
        .collect()
}

fn audit(service: Service) -> Audit {
    match service {
        // docs/decisions/0108: files that anybody has, dozens for every page.
        Service::Console => Audit::Off,
        Service::Door
        | Service::Intake
        | Service::Description
        | Service::ProtectedResource
        | Service::Auth
        | Service::Collector => Audit::Durable,
    }
}

/// The live tail ends with a word on why, which a connection that breaks would cut off.
fn stream_end(name: &str) -> StreamEnd {
    match name {
        log::TAIL => StreamEnd::Itself,
        _ => StreamEnd::Exp,
    }
}

/// The services bound by themselves what costs them something.
fn rates(name: &str, service: Service) -> Vec<RateRule> {
    let quota = match service {
        Service::Intake => Quota::parse(REPORTS, None).ok(),
        _ => None,
    };
    quota
        .map(|quota| RateRule::on(name, Per::Client, quota))
        .into_iter()
        .collect()
}
