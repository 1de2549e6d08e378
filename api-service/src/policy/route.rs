//! One route: what it matches, whom it lets in, where it leads.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::Method;
use http::uri::{Authority, Scheme};
use shared::token::AudienceRule;

use super::{Allow, IdentityHeaders};
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

impl Route {
    /// Whether it is one of Gatelog's own, rather than of the policy file.
    pub fn is_own(&self) -> bool {
        self.audience != AudienceRule::Apis
    }

    /// The headers that tell whoever serves it who calls.
    pub fn identity(&self) -> IdentityHeaders {
        match &self.target {
            Target::Upstream(upstream) => upstream.identity.clone(),
            Target::Me | Target::Intake | Target::Description | Target::Decided => IdentityHeaders::default(),
        }
    }
}

/// Where a route leads.
#[derive(Clone, Debug)]
pub enum Target {
    /// To the door itself, which answers who the caller is.
    Me,
    /// To the door itself, which takes what other services report.
    Intake,
    /// To the door itself, which answers what its own end points are.
    Description,
    /// To an API.
    Upstream(Arc<Upstream>),
    /// Nowhere: it is decided on for others, who serve it by themselves.
    Decided,
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

impl Audit {
    /// The word in policy files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
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
