//! `GET /v1/admin/lockouts`, `DELETE /v1/admin/lockouts/{id}`.

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use shared::clock::UtcMicros;
use utoipa::ToSchema;

use super::Lockout;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, PathId};

/// What refuses at the moment, at most 1000, for longest first.
#[derive(Serialize, ToSchema)]
pub(super) struct LockoutsBody {
    #[schema(max_items = 1000)]
    lockouts: Vec<LockoutBody>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct LockoutBody {
    #[schema(max_length = 64)]
    id: String,
    /// `account`, `pair`, `device`, `second_factor`, `host` or `network`.
    #[schema(max_length = 32)]
    kind: String,
    /// A user's id, an address prefix, or both; absent for a name that no user has.
    #[schema(max_length = 128)]
    subject: Option<String>,
    failures: i64,
    #[schema(value_type = String, format = DateTime)]
    refused_until: UtcMicros,
}

impl From<Lockout> for LockoutBody {
    fn from(lockout: Lockout) -> Self {
        Self {
            id: lockout.id,
            kind: lockout.kind,
            subject: lockout.subject,
            failures: lockout.failures,
            refused_until: lockout.refused_until,
        }
    }
}

/// Lists what refuses at the moment.
#[utoipa::path(
    get,
    path = "/v1/admin/lockouts",
    operation_id = "listLockouts",
    tag = "administration",
    security(("bearer" = ["admin"])),
    responses((status = 200, description = "The lockouts", body = LockoutsBody))
)]
pub(super) async fn list_lockouts(State(app): State<App>, _: Administrator) -> Result<Response, ApiError> {
    let lockouts = super::list(&app).await?;
    let body = LockoutsBody {
        lockouts: lockouts.into_iter().map(LockoutBody::from).collect(),
    };
    Ok(([(CACHE_CONTROL, "no-store")], Json(body)).into_response())
}

/// Clears a lockout.
#[utoipa::path(
    delete,
    path = "/v1/admin/lockouts/{id}",
    operation_id = "clearLockout",
    tag = "administration",
    security(("bearer" = ["admin"])),
    params(("id" = String, Path, description = "The lockout's id", max_length = 64)),
    responses(
        (status = 204, description = "It admits again"),
        (status = 404, description = "`not_found`: nothing of that id refuses")
    )
)]
pub(super) async fn clear_lockout(
    State(app): State<App>,
    administrator: Administrator,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    super::clear(&app, &administrator.operator, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
