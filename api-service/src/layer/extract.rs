//! Who calls, for handlers behind the gate.

use std::ops::Deref;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::StatusCode;
use http::request::Parts;
use shared::guard::Admitted;
use shared::http::bearer::missing_token;
use shared::http::problem::Problem;
use shared::token::Verified;

/// Who calls, by a token that was verified. A handler takes `Option<Caller>` where a public route leads to it.
#[derive(Clone, Debug)]
pub struct Caller(Admitted);

impl Caller {
    pub(super) const fn new(admitted: Admitted) -> Self {
        Self(admitted)
    }
}

impl Deref for Caller {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        &self.0
    }
}

/// The mark of a request that went through the gate, with its caller if there is one.
#[derive(Clone, Debug)]
pub(super) struct LetIn(pub(super) Option<Caller>);

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        if let Some(LetIn(caller)) = parts.extensions.get() {
            return Ok(caller.clone());
        }
        tracing::error!("a handler asks who calls, and no gate is before it");
        Err(Problem::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "gate_missing",
            "who calls is not known here",
        ))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let caller = <Self as OptionalFromRequestParts<S>>::from_request_parts(parts, state).await?;
        caller.ok_or_else(missing_token)
    }
}
