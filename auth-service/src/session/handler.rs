//! `POST /v1/logout`, `/v1/sessions` for the caller's own, `/v1/admin/sessions` for everybody's.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::http::DECISION;
use utoipa::{IntoParams, ToSchema};

use super::logout;
use super::manage::{self, Ended, Shown, Use};
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, Caller, Enforcer, PathId, RequestContext};

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
    Ok(listed(manage::list(&app, &caller.0.sub).await?, current))
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
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    manage::end_own(&app, &context, &caller, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whose sessions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// The user's id.
    #[param(max_length = 64)]
    user: String,
}

/// Which sessions are ended.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RevokeQuery {
    /// The user's id.
    #[param(max_length = 64)]
    user: String,
    /// Whether only to say what would end.
    #[serde(default)]
    dry_run: bool,
}

fn listed(sessions: Vec<Shown>, current: Option<&str>) -> Response {
    let sessions = sessions
        .into_iter()
        .map(|session| SessionBody::of(session, current))
        .collect();
    ([(CACHE_CONTROL, "no-store")], Json(SessionsBody { sessions })).into_response()
}

/// The live sessions of a user.
#[utoipa::path(
    get,
    path = "/v1/admin/sessions",
    operation_id = "listUserSessions",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(UserQuery),
    responses((status = 200, description = "The live sessions", body = SessionsBody))
)]
pub(super) async fn list_user_sessions(
    State(app): State<App>,
    administrator: Administrator,
    query: Result<Query<UserQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(UserQuery { user }) = query.map_err(|_| ApiError::QueryInvalid)?;
    if user.contains('\0') {
        return Err(ApiError::QueryInvalid);
    }
    Ok(listed(
        manage::list(&app, &user).await?,
        administrator.sid.as_deref(),
    ))
}

/// Ends all sessions of a user and answers which; with `dry_run` only says which would end.
#[utoipa::path(
    delete,
    path = "/v1/admin/sessions",
    operation_id = "endUserSessions",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(RevokeQuery),
    responses((status = 200, description = "The sessions that have ended, or would", body = SessionsBody))
)]
pub(super) async fn end_user_sessions(
    State(app): State<App>,
    administrator: Administrator,
    query: Result<Query<RevokeQuery>, QueryRejection>,
) -> Result<Response, ApiError> {
    let Query(RevokeQuery { user, dry_run }) = query.map_err(|_| ApiError::QueryInvalid)?;
    if user.contains('\0') {
        return Err(ApiError::QueryInvalid);
    }
    let target = Ended {
        user: Some(&user),
        ..Ended::default()
    };
    let ended = manage::revoke(&app, &administrator.operator, target, dry_run).await?;
    Ok(listed(ended, administrator.sid.as_deref()))
}

/// Ends a session of anybody. `X-Gatelog-Decision` says by what name refusals know that, unless it had ended before.
#[utoipa::path(
    delete,
    path = "/v1/admin/sessions/{id}",
    operation_id = "endUserSession",
    tag = "administration",
    security(("bearer" = ["admin"]), ("bearer" = ["enforcement:write"])),
    params(("id" = String, Path, max_length = 64)),
    responses(
        (status = 204, description = "The session has ended"),
        (status = 404, description = "`not_found`")
    )
)]
pub(super) async fn end_user_session(
    State(app): State<App>,
    enforcer: Enforcer,
    PathId(id): PathId,
) -> Result<Response, ApiError> {
    let decision = format!("end_{}", uuid::Uuid::now_v7().simple());
    let target = Ended {
        session: Some(&id),
        decision: Some(&decision),
        ..Ended::default()
    };
    let ended = manage::revoke(&app, &enforcer.operator, target, false).await?;
    let named = (!ended.is_empty()).then(|| [(DECISION, decision.clone())]);
    Ok((StatusCode::NO_CONTENT, named, ()).into_response())
}
