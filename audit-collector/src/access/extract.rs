//! The bearer token of a request → who may do what it asks for, or the recorded refusal.

use std::marker::PhantomData;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use shared::event::{Actor, TokenFacts};
use shared::guard::{Admitted, IfBlind};
use shared::http::bearer::bearer_token;
use shared::http::problem::Problem;
use shared::token::AudienceRule;

use super::scope::{AuditRead, Scope};
use super::{Auditor, Permitted, RequestFacts};
use crate::app::AppState;
use crate::error::ApiError;

/// A refusal and whom it concerns.
struct Refused {
    error: ApiError,
    actor: Actor,
    token: Option<TokenFacts>,
}

/// Whoever may read the log.
impl FromRequestParts<AppState> for Auditor {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        let permitted = Permitted::<AuditRead>::from_request_parts(parts, app).await?;
        Ok(permitted.auditor)
    }
}

impl<S: Scope> FromRequestParts<AppState> for Permitted<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &AppState) -> Result<Self, Problem> {
        // The middleware put it there; without it nothing could be recorded.
        let Some(request) = parts.extensions.get::<RequestFacts>().cloned() else {
            return Err(ApiError::NotRecorded.problem());
        };
        let request = request.on_route(parts.extensions.get::<MatchedPath>());
        match admit(parts, app, S::NAME).await {
            Ok(admitted) => Ok(Self {
                auditor: Auditor {
                    actor: admitted.actor(),
                    token: Some(admitted.facts(app.clock.now())),
                    admitted: Some(admitted),
                    request,
                },
                scope: PhantomData,
            }),
            Err(refused) => {
                let stranger = Auditor {
                    actor: refused.actor,
                    token: refused.token,
                    admitted: None,
                    request,
                };
                Err(stranger.record_refusal(app, &refused.error).await)
            }
        }
    }
}

async fn admit(parts: &Parts, app: &AppState, scope: &'static str) -> Result<Admitted, Box<Refused>> {
    let nobody = |error| {
        Box::new(Refused {
            error,
            actor: Actor::default(),
            token: None,
        })
    };
    let token = bearer_token(&parts.headers)
        .map_err(|error| nobody(error.into()))?
        .ok_or_else(|| nobody(ApiError::TokenMissing))?;
    let now = app.clock.now();
    let admitted = app
        .guard
        .admit_patiently(token, AudienceRule::Gatelog, IfBlind::Refuse)
        .await;
    match admitted {
        Ok(verified) if verified.has_scope(scope) => Ok(verified),
        Ok(verified) => Err(Box::new(Refused {
            error: ApiError::ScopeMissing(scope),
            actor: verified.actor(),
            token: Some(verified.facts(now)),
        })),
        Err(rejection) => Err(Box::new(Refused {
            error: ApiError::Token(rejection.refusal),
            actor: rejection.actor,
            token: Some(rejection.token),
        })),
    }
}
