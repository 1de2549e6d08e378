//! The HTTP side of changes that a second person must confirm.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::json;
use shared::event::{Outcome, action};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{Change, store};
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// Confirms a change that somebody else asked for: a shorter retention, or the release of a hold. It is done at once.
#[utoipa::path(
    post,
    path = "/v1/retention/changes/{id}/confirm",
    operation_id = "confirmChange",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID")),
    responses(
        (status = 200, description = "The change, which is done", body = Object),
        (status = 403, description = "`change_unconfirmed`: it is the caller's own, or the caller is no person"),
        (status = 404, description = "`change_not_found`")
    )
)]
pub(in crate::retention) async fn confirm_change(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
) -> Result<Json<Change>, Problem> {
    let id = change_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    decide(&app, &auditor, id, true).await.map(Json)
}

/// Withdraws a change that is not confirmed, whoever asked for it.
#[utoipa::path(
    post,
    path = "/v1/retention/changes/{id}/withdraw",
    operation_id = "withdrawChange",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "The change, which will not be done", body = Object), (status = 404, description = "`change_not_found`"))
)]
pub(in crate::retention) async fn withdraw_change(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
) -> Result<Json<Change>, Problem> {
    let id = change_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    decide(&app, &auditor, id, false).await.map(Json)
}

fn change_id(id: &str) -> Result<Uuid, InvalidParameter> {
    Uuid::try_parse(id).map_err(|_| InvalidParameter::new("id", "not a UUID"))
}

async fn decide(app: &AppState, auditor: &Auditor, id: Uuid, confirmed: bool) -> Result<Change, Problem> {
    let failed = |error| {
        tracing::error!(%error, "a change of retention could not be decided");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let now = app.clock.now();
    let mut tx = app.log.database().write().await.map_err(failed)?;
    let change = store::find(&mut tx, id).await.map_err(failed)?;
    let change = change.ok_or_else(|| auditor.refuse(&ApiError::NoSuchChange))?;
    let by = auditor.subject();
    if confirmed {
        if let Err(unconfirmed) = change.confirmable_by(auditor.actor(), now) {
            drop(tx);
            let error = ApiError::Unconfirmed(unconfirmed);
            let problem = auditor.refuse(&error);
            let facts = auditor.facts_of(
                app,
                action::RETENTION_CHANGE_CONFIRMED,
                (Outcome::Denied, problem.status),
            );
            let facts = facts
                .because("change_unconfirmed")
                .with_detail("before", json!(change))
                .with_detail("after", json!(change));
            auditor.append(app, facts).await?;
            return Err(problem);
        }
        store::confirm(&mut tx, &change, by, now).await.map_err(failed)?;
    } else {
        store::withdraw(&mut tx, id, by, now).await.map_err(failed)?;
    }
    let name = if confirmed {
        action::RETENTION_CHANGE_CONFIRMED
    } else {
        action::RETENTION_CHANGE_WITHDRAWN
    };
    // Recorded first: what cannot be recorded is not done.
    let facts = auditor.facts_of(app, name, (Outcome::Success, StatusCode::OK));
    auditor
        .append(
            app,
            facts
                .with_detail("before", json!(change))
                .with_detail("after", json!(null)),
        )
        .await?;
    tx.commit().await.map_err(failed)?;
    Ok(change)
}
