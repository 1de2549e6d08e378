//! The decision: which route a request is for and whether its caller may use it. Every door ends here.

use std::net::IpAddr;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use shared::clock::UtcMicros;
use shared::event::{Actor, Outcome, TokenFacts};
use shared::guard::{Admitted, Guard};
use shared::http::bearer::{self, MalformedAuthorization, bearer_token};
use shared::http::problem::Problem;
use shared::http::serve::Flaw;
use shared::token::{Refusal, Rejection};

use super::ActivePolicy;
use super::entrance::Entrance;
use super::refusal::{address_blocked, no_route, rate_limited, refused_path};
use crate::policy::{Asker, PathRefusal, Route, normalised};
use crate::rate_limit::{Exceeded, RateLimiter, Standing};

/// A request that is let in.
#[derive(Debug)]
pub(crate) struct Granted {
    /// The route it is for.
    pub(crate) route: Arc<Route>,
    /// Its path in the one spelling that was decided on.
    pub(crate) path: String,
    /// Who calls; `None` on a public route, where no token is looked at.
    pub(crate) caller: Option<Admitted>,
    /// How it stands with the limits on the route.
    pub(crate) standings: Vec<Standing>,
}

/// A request that is not let in.
#[derive(Debug)]
pub(crate) struct Denied {
    pub(crate) route: Option<Arc<Route>>,
    pub(crate) cause: Cause,
    pub(crate) token: Option<TokenFacts>,
    pub(crate) actor: Actor,
    /// Who calls, if the token was accepted and the rule refused.
    pub(crate) caller: Option<Admitted>,
    /// The decision of the enforcement log that refuses it, if one does.
    pub(crate) decision: Option<String>,
}

/// Why a request is not let in.
#[derive(Debug)]
pub(crate) enum Cause {
    /// The address that the request comes from is kept out.
    Address,
    /// The request could be read in two ways.
    Flaw(Flaw),
    Path(PathRefusal),
    NoRoute,
    /// Asked too often.
    RateLimited(Box<Exceeded>),
    NoToken,
    Authorization(MalformedAuthorization),
    Token(Refusal),
    Rule {
        scope_hint: Option<String>,
    },
}

impl Cause {
    /// The answer that says so.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Address => address_blocked(),
            Self::Flaw(flaw) => flaw.problem(),
            Self::Path(refusal) => refused_path(*refusal),
            Self::NoRoute => no_route(),
            Self::RateLimited(exceeded) => rate_limited(exceeded),
            Self::NoToken => bearer::missing_token(),
            Self::Authorization(error) => bearer::malformed_authorization(*error),
            Self::Token(refusal) => bearer::refused_token(*refusal),
            Self::Rule { scope_hint } => bearer::insufficient_scope(
                "the token is good, but its bearer may not do this".to_owned(),
                scope_hint.as_deref(),
            ),
        }
    }

    /// Whether it is for want of a good token, which only so many from one address are told.
    const fn is_unauthenticated(&self) -> bool {
        match self {
            Self::NoToken | Self::Authorization(_) => true,
            Self::Token(refusal) => !refusal.is_ours(),
            Self::Address
            | Self::Flaw(_)
            | Self::Path(_)
            | Self::NoRoute
            | Self::RateLimited(_)
            | Self::Rule { .. } => false,
        }
    }
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inquiry<'a> {
    pub(crate) entrance: Entrance,
    pub(crate) method: &'a Method,
    /// The host asked for, as it was written.
    pub(crate) host: Option<&'a str>,
    /// The path as it was written.
    pub(crate) path: &'a str,
    pub(crate) headers: &'a HeaderMap,
    /// The address of the client.
    pub(crate) ip: IpAddr,
}

/// Decides on a request by its head alone; waits a moment for the issuer of a token whose key is not known here. Boxed, because a refusal carries a good deal of what it saw.
pub(crate) async fn decide(
    policy: &ActivePolicy,
    guard: &Guard,
    limiter: &RateLimiter,
    inquiry: &Inquiry<'_>,
) -> Result<Granted, Box<Denied>> {
    let now = guard.clock().now();
    if let Some(decision) = guard.address_block(inquiry.ip) {
        return Err(Denied::unseen(None, Cause::Address).by(decision));
    }
    let path = normalised(inquiry.path).map_err(|refusal| Denied::unseen(None, Cause::Path(refusal)))?;
    let route = policy
        .table
        .find(inquiry.host, inquiry.method, &path)
        .filter(|route| inquiry.entrance.leads_to(route))
        .ok_or_else(|| Denied::unseen(None, Cause::NoRoute))?;
    let asker = |token| Asker {
        token,
        ip: inquiry.ip,
        now,
    };
    let counted_at = limiter.now();
    let standings = limiter
        .admit_stranger(&route.rates, inquiry.ip, counted_at)
        .map_err(|exceeded| Denied::unseen(Some(route), Cause::RateLimited(exceeded)))?;
    if route.allow.permits(&asker(None)) {
        return Ok(Granted {
            route: Arc::clone(route),
            path,
            caller: None,
            standings,
        });
    }
    let caller = match authenticate(guard, inquiry, route).await {
        Ok(caller) => caller,
        Err(mut denied) => {
            if denied.cause.is_unauthenticated()
                && let Err(exceeded) = limiter.count_refusal(&policy.refusals, inquiry.ip, counted_at)
            {
                denied.cause = Cause::RateLimited(exceeded);
            }
            return Err(denied);
        }
    };
    let standings = match limiter.admit_caller(&route.rates, &caller, counted_at, standings) {
        Ok(standings) => standings,
        Err(exceeded) => return Err(Denied::known(route, caller, now, Cause::RateLimited(exceeded))),
    };
    if !route.allow.permits(&asker(Some(&*caller))) {
        let scope_hint = route.allow.scope_hint();
        return Err(Denied::known(route, caller, now, Cause::Rule { scope_hint }));
    }
    Ok(Granted {
        route: Arc::clone(route),
        path,
        caller: Some(caller),
        standings,
    })
}

/// Who calls, by the one token that the request has.
async fn authenticate(
    guard: &Guard,
    inquiry: &Inquiry<'_>,
    route: &Arc<Route>,
) -> Result<Admitted, Box<Denied>> {
    let token = bearer_token(inquiry.headers)
        .map_err(|error| Denied::unseen(Some(route), Cause::Authorization(error)))?
        .ok_or_else(|| Denied::unseen(Some(route), Cause::NoToken))?;
    let admitted = guard
        .admit_patiently(token, route.audience, route.revocation.into())
        .await;
    admitted.map_err(|rejection| {
        let Rejection {
            refusal,
            token,
            actor,
            decision,
        } = *rejection;
        Box::new(Denied {
            route: Some(Arc::clone(route)),
            cause: Cause::Token(refusal),
            token: Some(token),
            actor,
            caller: None,
            decision,
        })
    })
}

impl Denied {
    /// Refused before anything is known of who asks.
    fn unseen(route: Option<&Arc<Route>>, cause: Cause) -> Box<Self> {
        Box::new(Self {
            route: route.cloned(),
            cause,
            token: None,
            actor: Actor::default(),
            caller: None,
            decision: None,
        })
    }

    /// Refused although its token is good.
    fn known(route: &Arc<Route>, caller: Admitted, now: UtcMicros, cause: Cause) -> Box<Self> {
        Box::new(Self {
            route: Some(Arc::clone(route)),
            cause,
            token: Some(caller.facts(now)),
            actor: caller.actor(),
            caller: Some(caller),
            decision: None,
        })
    }

    /// The same by a decision of the enforcement log.
    fn by(mut self: Box<Self>, decision: String) -> Box<Self> {
        self.decision = Some(decision);
        self
    }

    /// Refused because it could be read in two ways.
    pub(super) fn of_flaw(flaw: Flaw) -> Box<Self> {
        Self::unseen(None, Cause::Flaw(flaw))
    }

    /// Whether it is a refusal, rather than a failure of ours that may pass.
    pub(crate) fn outcome(&self) -> Outcome {
        outcome_of(self.cause.problem().status)
    }
}

/// A refusal is a denial if it is the request's fault, an error if it is ours or the upstream's.
pub(super) fn outcome_of(status: StatusCode) -> Outcome {
    if status.is_server_error() {
        Outcome::Error
    } else {
        Outcome::Denied
    }
}
