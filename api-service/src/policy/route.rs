//! One route: what it matches, whom it lets in, where it leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::uri::{Authority, Scheme};
use http::{HeaderName, Method};
use shared::token::AudienceRule;

use super::Allow;
use crate::rate_limit::RateRule;

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Its name in events.
    pub name: String,
    /// The host it stands on; `None` for the issuer's.
    pub host: Option<String>,
    /// The only method it matches.
    pub method: Method,
    /// The template of its path, such as `/orders/{id}` or `/files/{rest..}`.
    pub template: String,
    /// Whom it lets in.
    pub allow: Allow,
    /// Which audience a token must be for.
    pub audience: AudienceRule,
    /// Where it leads.
    pub target: Target,
    /// Whether the upstream gets the request's `Authorization`.
    pub forward_token: bool,
    /// What happens if its event cannot be kept.
    pub audit: Audit,
    /// How often it may be asked for.
    pub rates: Vec<RateRule>,
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// To the door itself, which answers who the caller is.
    Me,
    /// To an API.
    Upstream(Arc<Upstream>),
}

/// What happens if the event of a request cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audit {
    /// The request is answered with 503.
    Durable,
    /// The request is answered, and the loss is logged.
    BestEffort,
    /// There is no event.
    Off,
}

/// An API behind the door.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the policy file.
    pub name: String,
    servers: Vec<(Scheme, Authority)>,
    next: AtomicUsize,
    /// The headers that tell it who calls.
    pub identity: IdentityHeaders,
    /// Whether it is auth-service, the only one that Gatelog's cookies are for.
    pub gets_own_cookies: bool,
}

impl Upstream {
    /// An API that is served by `servers`, of which there is at least one.
    pub fn new(name: String, servers: Vec<(Scheme, Authority)>, identity: IdentityHeaders) -> Self {
        Self {
            name,
            servers,
            next: AtomicUsize::new(0),
            identity,
            gets_own_cookies: false,
        }
    }

    /// The same as auth-service.
    #[must_use]
    pub fn with_own_cookies(mut self) -> Self {
        self.gets_own_cookies = true;
        self
    }

    /// The server for the next request, in turn.
    pub fn next_server(&self) -> Option<&(Scheme, Authority)> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        self.servers.get(turn.checked_rem(self.servers.len())?)
    }
}

/// Which header tells an upstream what about the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentityHeaders(Vec<(HeaderName, IdentityClaim)>);

/// What an identity header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IdentityClaim {
    /// The subject.
    Sub,
    /// The name it signs in with.
    Username,
    /// The client.
    ClientId,
    /// The roles, separated by spaces.
    Roles,
    /// The scopes, separated by spaces.
    Scope,
    /// The session.
    Sid,
}

impl IdentityHeaders {
    /// These headers.
    pub const fn new(headers: Vec<(HeaderName, IdentityClaim)>) -> Self {
        Self(headers)
    }

    /// Every header and what it tells.
    pub fn iter(&self) -> impl Iterator<Item = &(HeaderName, IdentityClaim)> {
        self.0.iter()
    }
}

impl Default for IdentityHeaders {
    fn default() -> Self {
        Self(vec![
            (HeaderName::from_static("x-user"), IdentityClaim::Sub),
            (HeaderName::from_static("x-username"), IdentityClaim::Username),
            (HeaderName::from_static("x-client"), IdentityClaim::ClientId),
            (HeaderName::from_static("x-roles"), IdentityClaim::Roles),
            (HeaderName::from_static("x-scopes"), IdentityClaim::Scope),
        ])
    }
}
