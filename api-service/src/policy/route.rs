//! One route: what it matches, whom it lets in, where it leads.

use std::sync::Arc;

use http::Method;
use shared::guard::IfBlind;
use shared::token::AudienceRule;

use super::{Allow, IdentityHeaders, Passage, Upstream};
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
    /// The same as events have it.
    pub rule: String,
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
    /// What becomes of its callers while revocations are not heard of.
    pub revocation: Revocation,
    /// When an answer that takes its time is ended.
    pub stream_end: StreamEnd,
    /// How it is forwarded.
    pub passage: Passage,
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
            Target::Me
            | Target::Intake
            | Target::Description
            | Target::ProtectedResource
            | Target::Decided => IdentityHeaders::default(),
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
    /// To the door itself, which answers who mints tokens for the host.
    ProtectedResource,
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
    /// The request is answered with 503, and it is not passed on before an intent is on the disk: power loss leaves an event, too.
    FailClosed,
    /// The request is answered, the loss is counted, and told of when there is room again.
    BestEffort,
    /// There is no event.
    Off,
}

impl Audit {
    /// The word in policy files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Durable => "durable",
            Self::FailClosed => "fail-closed",
            Self::BestEffort => "best-effort",
            Self::Off => "off",
        }
    }
}

/// What becomes of a route's callers while revocations are not heard of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Revocation {
    /// They are refused with 503: their tokens may be revoked.
    #[default]
    Required,
    /// They are let in unless they are known to be revoked, and their events say so.
    BestEffort,
}

impl From<Revocation> for IfBlind {
    fn from(revocation: Revocation) -> Self {
        match revocation {
            Revocation::Required => Self::Refuse,
            Revocation::BestEffort => Self::Admit,
        }
    }
}

/// When an answer that takes its time, or a WebSocket, is ended although neither side has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StreamEnd {
    /// When its caller's token expires or would be refused for any other reason.
    #[default]
    Exp,
    /// When its caller's token is revoked or would be refused otherwise, but not when it expires.
    Revocation,
    /// Not for its caller's token.
    Never,
    /// As with [`StreamEnd::Exp`], but a moment later: what answers ends it by itself and says why. Of Gatelog's own alone.
    #[serde(skip)]
    Itself,
}
