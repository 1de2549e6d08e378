//! The decision: which route a request is for and whether its caller may use it.

use std::sync::Arc;

use http::request::Parts;
use shared::event::{Actor, TokenFacts};
use shared::http::bearer::{self, MalformedAuthorization, bearer_token};
use shared::http::problem::Problem;
use shared::token::{Refusal, Rejection, Verified};

use super::answer::{no_route, refused_path};
use super::arrival::Arrival;
use super::{ActivePolicy, Door};
use crate::policy::{Asker, PathRefusal, Route, normalised};

/// A request that is let in.
#[derive(Debug)]
pub(super) struct Granted {
    /// The route it is for.
    pub(super) route: Arc<Route>,
    /// Its path in the one spelling that was decided on.
    pub(super) path: String,
    /// Who calls; `None` on a public route, where no token is looked at.
    pub(super) caller: Option<Verified>,
}

/// A request that is not let in.
#[derive(Debug)]
pub(super) struct Denied {
    pub(super) route: Option<Arc<Route>>,
    pub(super) cause: Cause,
    pub(super) token: Option<TokenFacts>,
    pub(super) actor: Actor,
}

/// Why a request is not let in.
#[derive(Debug)]
pub(super) enum Cause {
    Path(PathRefusal),
    NoRoute,
    NoToken,
    Authorization(MalformedAuthorization),
    Token(Refusal),
    Rule { scope_hint: Option<String> },
}

impl Cause {
    /// The answer that says so.
    pub(super) fn problem(&self) -> Problem {
        match self {
            Self::Path(refusal) => refused_path(*refusal),
            Self::NoRoute => no_route(),
            Self::NoToken => bearer::missing_token(),
            Self::Authorization(error) => bearer::malformed_authorization(*error),
            Self::Token(refusal) => bearer::refused_token(*refusal),
            Self::Rule { scope_hint } => bearer::insufficient_scope(
                "the token is good, but its bearer may not do this".to_owned(),
                scope_hint.as_deref(),
            ),
        }
    }
}

/// Decides on a request by its head alone. Boxed, because a refusal carries a good deal of what it saw.
pub(super) fn decide(door: &Door, parts: &Parts, arrival: &Arrival) -> Result<Granted, Box<Denied>> {
    let nobody = |route: Option<&Arc<Route>>, cause| {
        Box::new(Denied {
            route: route.cloned(),
            cause,
            token: None,
            actor: Actor::default(),
        })
    };
    let path = normalised(parts.uri.path()).map_err(|refusal| nobody(None, Cause::Path(refusal)))?;
    let policy = door.policy.load();
    let route = policy
        .table
        .find(arrival.host.as_deref(), &parts.method, &path)
        .ok_or_else(|| nobody(None, Cause::NoRoute))?;
    let asker = |token| Asker {
        token,
        ip: arrival.client_ip,
        now: door.spool.clock().now(),
    };
    if route.allow.permits(&asker(None)) {
        return Ok(Granted {
            route: Arc::clone(route),
            path,
            caller: None,
        });
    }
    let token = bearer_token(&parts.headers)
        .map_err(|error| nobody(Some(route), Cause::Authorization(error)))?
        .ok_or_else(|| nobody(Some(route), Cause::NoToken))?;
    let caller = door.guard.admit(token, route.audience).map_err(|rejection| {
        want_key(&policy, &rejection);
        let Rejection {
            refusal,
            token,
            actor,
        } = *rejection;
        Box::new(Denied {
            route: Some(Arc::clone(route)),
            cause: Cause::Token(refusal),
            token: Some(token),
            actor,
        })
    })?;
    if !route.allow.permits(&asker(Some(&caller))) {
        return Err(Box::new(Denied {
            route: Some(Arc::clone(route)),
            cause: Cause::Rule {
                scope_hint: route.allow.scope_hint(),
            },
            token: Some(caller.facts(door.spool.clock().now())),
            actor: caller.actor(),
        }));
    }
    Ok(Granted {
        route: Arc::clone(route),
        path,
        caller: Some(caller),
    })
}

/// An unknown key may be a new one. Which issuer is asked, and how often, is not the token's to say.
fn want_key(policy: &ActivePolicy, rejection: &Rejection) {
    if let (Refusal::KeyUnknown, Some(iss)) = (rejection.refusal, &rejection.token.iss) {
        policy.refresh.want(iss);
    }
}
