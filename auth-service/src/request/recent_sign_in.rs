//! Somebody who has signed in a moment ago, with everything that it has: who may change what it signs in with.

use std::time::Duration;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde_json::Value;

use super::{Caller, Operator, RequestContext};
use crate::app::App;
use crate::error::ApiError;
use crate::second_factor;
use crate::sign_in::Level;

/// How long ago a sign-in may be, in seconds.
pub(crate) const RECENT_SECONDS: u64 = 300;

/// A user whose sign-in is recent, and by its second factor if it has one. A stolen token is not enough for long; a refresh does
/// not make it younger, and no key or client of others ever is.
#[derive(Clone, Debug)]
pub(crate) struct RecentSignIn {
    pub(crate) caller: Caller,
    pub(crate) operator: Operator,
}

impl FromRequestParts<App> for RecentSignIn {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let context = RequestContext::from_request_parts(parts, app).await?;
        let caller = Caller::from_request_parts(parts, app).await?;
        let user_id = caller.signed_in(app).await?;
        let mut tx = app.database.read().await?;
        let needed = if second_factor::is_enrolled(&mut tx, user_id).await? {
            Level::SecondFactor
        } else {
            Level::Password
        };
        drop(tx);
        let is_recent = caller
            .0
            .authenticated_at
            .is_some_and(|at| app.now().since(at) <= Duration::from_secs(RECENT_SECONDS));
        let level = caller
            .0
            .claims
            .get("acr")
            .and_then(Value::as_str)
            .and_then(Level::of);
        if !is_recent || level < Some(needed) {
            return Err(ApiError::ReauthenticationRequired);
        }
        Ok(Self {
            operator: Operator::of(context, &caller),
            caller,
        })
    }
}
