//! `POST /v1/logout`, `GET /v1/sessions` and `DELETE /v1/sessions/{id}`.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use utoipa::{IntoParams, ToSchema};

use super::logout;
use super::manage::{self, Shown, Use};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, RequestContext};

/// Which sessions a sign-out ends.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum LogoutScope {
    /// The one that asks.
    #[default]
    Local,
    /// Every other of the same user.
    Others,
    /// All of the user.
    Global,
}

/// What a sign-out is asked for with.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(super) struct LogoutQuery {
    /// Which sessions it ends; `local` if absent.
    #[serde(default)]
    #[param(inline)]
    scope: LogoutScope,
}

/// Ends the session of the token that is presented, or others of the same user.
#[utoipa::path(
    post,
    path = "/v1/logout",
    operation_id = "logOut",
    tag = "account",
    security(("bearer" = [])),
    params(LogoutQuery),
    responses((status = 204, description = "The sessions have ended"))
)]
pub(super) async fn log_out(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    query: Result<Query<LogoutQuery>, QueryRejection>,
) -> Result<StatusCode, ApiError> {
    let Query(LogoutQuery { scope }) = query.map_err(|_| ApiError::QueryInvalid)?;
    match scope {
        LogoutScope::Local => logout::log_out(&app, &context, &caller).await?,
        LogoutScope::Others => manage::end_many(&app, &context, &caller, true).await?,
        LogoutScope::Global => manage::end_many(&app, &context, &caller, false).await?,
    }
    Ok(StatusCode::NO_CONTENT)
}

/// The live sessions of a user, at most 100, the one used last first.
#[derive(Serialize, ToSchema)]
pub(super) struct SessionsBody {
    #[schema(max_items = 100)]
    sessions: Vec<SessionBody>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct SessionBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 64)]
    client_id: String,
    /// How its user proved who it is (RFC 8176).
    #[schema(max_items = 8)]
    amr: Vec<String>,
    created: UseBody,
    last_used: UseBody,
    /// Whether it is the one that asks.
    current: bool,
}

#[derive(Serialize, ToSchema)]
pub(super) struct UseBody {
    #[schema(value_type = String, format = DateTime)]
    at: UtcMicros,
    #[schema(max_length = 64)]
    ip: Option<String>,
    /// The program and the system, as far as the user agent tells.
    #[schema(max_length = 64)]
    device: Option<String>,
    #[schema(max_length = 512)]
    user_agent: Option<String>,
}

impl From<Use> for UseBody {
    fn from(used: Use) -> Self {
        Self {
            at: used.at,
            ip: used.ip,
            device: used.device,
            user_agent: used.user_agent,
        }
    }
}

impl SessionBody {
    fn of(session: Shown, current: Option<&str>) -> Self {
        Self {
            current: Some(session.id.as_str()) == current,
            id: session.id,
            client_id: session.client_id,
            amr: session.amr,
            created: session.created.into(),
            last_used: session.last_used.into(),
        }
    }
}

/// The caller's own sessions.
#[utoipa::path(
    get,
    path = "/v1/sessions",
    operation_id = "listSessions",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 200, description = "The live sessions", body = SessionsBody))
)]
pub(super) async fn list_sessions(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let current = caller.0.sid.as_deref();
    let sessions = manage::list(&app, &caller.0.sub).await?;
    let sessions = sessions
        .into_iter()
        .map(|session| SessionBody::of(session, current))
        .collect();
    Ok(([(CACHE_CONTROL, "no-store")], Json(SessionsBody { sessions })).into_response())
}

/// Ends one of the caller's own sessions. One that has ended before is as good.
#[utoipa::path(
    delete,
    path = "/v1/sessions/{id}",
    operation_id = "endSession",
    tag = "account",
    security(("bearer" = [])),
    params(("id" = String, Path, max_length = 64)),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "`not_found`: the caller has no such session")
    )
)]
pub(super) async fn end_session(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    manage::end_own(&app, &context, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
