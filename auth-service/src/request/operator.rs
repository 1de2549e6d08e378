//! Who performs an administrative act: somebody with a token, or whoever runs the command line.

use axum::extract::FromRequestParts;
use http::request::Parts;
use shared::event::{Actor, Class, Facts, Identity, Outcome};

use super::{Caller, RequestContext};
use crate::app::App;
use crate::error::ApiError;
use crate::user::{ADMIN_SCOPE, ENFORCEMENT_SCOPE};

/// Whom the events of an administrative act name.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    context: RequestContext,
    actor: Actor,
    /// Whether its token has the scope `enforcement:write` and not that of administrators.
    is_enforcer: bool,
}

impl Operator {
    /// The one whose token came with the request.
    pub(crate) fn of(context: RequestContext, caller: &Caller) -> Self {
        Self {
            context,
            actor: caller.actor(),
            is_enforcer: false,
        }
    }

    /// Whoever runs a command on the database: that it may do so was decided by the machine, not by us.
    pub(crate) fn command_line() -> Self {
        Self {
            context: RequestContext::without_request(),
            actor: Actor {
                identity: Identity::Claimed,
                username: Some("command_line".to_owned()),
                ..Actor::default()
            },
            is_enforcer: false,
        }
    }

    /// Its id, if it keeps out and lets in and is no administrator.
    pub(crate) fn enforcer(&self) -> Option<&str> {
        self.actor.sub.as_deref().filter(|_| self.is_enforcer)
    }

    /// Where it acts from.
    pub(crate) const fn context(&self) -> &RequestContext {
        &self.context
    }

    /// Whom events name.
    pub(crate) const fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Facts of something that it did.
    pub(crate) fn facts(&self, class: Class, action: &str, outcome: Outcome) -> Facts {
        self.context.facts(class, action, outcome, self.actor.clone())
    }
}

/// Somebody whose token has the scope `admin`. Asked before a body is read: what a request would do is nobody else's business.
#[derive(Clone, Debug)]
pub(crate) struct Administrator {
    pub(crate) operator: Operator,
    /// The session that it asks with.
    pub(crate) sid: Option<String>,
}

impl FromRequestParts<App> for Administrator {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, app).await?;
        let caller = Caller::from_request_parts(parts, app).await?;
        caller.require_scope(ADMIN_SCOPE)?;
        Ok(Self {
            operator: Operator::of(context, &caller),
            sid: caller.0.sid.clone(),
        })
    }
}

/// Somebody who may keep users, sessions and tokens out, and let them in again: its token has the scope `enforcement:write`, or that
/// of administrators.
#[derive(Clone, Debug)]
pub(crate) struct Enforcer {
    pub(crate) operator: Operator,
}

impl Enforcer {
    /// Refuses who is no administrator.
    pub(crate) fn require_administrator(&self) -> Result<(), ApiError> {
        if self.operator.is_enforcer {
            return Err(ApiError::ScopeMissing(ADMIN_SCOPE));
        }
        Ok(())
    }
}

impl FromRequestParts<App> for Enforcer {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, app).await?;
        let caller = Caller::from_request_parts(parts, app).await?;
        let is_administrator = caller.require_scope(ADMIN_SCOPE).is_ok();
        if !is_administrator {
            caller.require_scope(ENFORCEMENT_SCOPE)?;
        }
        let mut operator = Operator::of(context, &caller);
        operator.is_enforcer = !is_administrator;
        Ok(Self { operator })
    }
}
