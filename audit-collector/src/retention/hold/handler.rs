//! The HTTP side of holds.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::json;
use shared::event::{Outcome, action, event_id};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{Hold, NAME_BYTES_MAX, REASON_BYTES_MAX, store};
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, JsonBody, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::retention::change::{self, Change, Wish};
use crate::search::{Filter, InvalidParameter};

/// Every hold.
#[derive(Serialize)]
pub(in crate::retention) struct Holds {
    holds: Vec<Hold>,
}

/// A hold to be made.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::retention) struct NewHold {
    name: String,
    q: String,
    reason: String,
}

/// Why a hold is to be released.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::retention) struct Release {
    reason: String,
}

/// Holds, those in force first.
#[utoipa::path(
    get,
    path = "/v1/holds",
    operation_id = "listHolds",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`holds`", body = Object))
)]
pub(in crate::retention) async fn list_holds(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<Holds>, Problem> {
    let reading = async { Ok((store::all(app.log.database()).await?, 0)) };
    let holds = auditor
        .record_read(&app, [("holds", "all")].into_iter(), reading)
        .await?;
    Ok(Json(Holds { holds }))
}

/// Keeps events whatever their age, until the hold is released. Those that are there when this answers are not removed any more.
#[utoipa::path(
    post,
    path = "/v1/holds",
    operation_id = "addHold",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    request_body(content = Object, description = "`name`, `q` (a filter of docs/search.md) and `reason`"),
    responses((status = 201, description = "The hold", body = Object), (status = 409, description = "`hold_refused`: its name is taken, or there are 100 holds"))
)]
pub(in crate::retention) async fn add_hold(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    JsonBody(new): JsonBody<NewHold>,
) -> Result<(StatusCode, Json<Hold>), Problem> {
    let wrong = |error: InvalidParameter| auditor.refuse(&error.into());
    let now = app.clock.now();
    InvalidParameter::unless_text("name", &new.name, NAME_BYTES_MAX).map_err(wrong)?;
    InvalidParameter::unless_text("reason", &new.reason, REASON_BYTES_MAX).map_err(wrong)?;
    Filter::parse(&new.q, now).map_err(|error| wrong(error.into()))?;
    let hold = Hold {
        id: event_id(now),
        name: new.name,
        q: new.q,
        reason: new.reason,
        made_by: auditor.subject().to_owned(),
        made_at: now,
        released_at: None,
    };
    let failed = |error| {
        tracing::error!(%error, "a hold could not be made");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let mut tx = app.log.database().write().await.map_err(failed)?;
    if !store::add(&mut tx, &hold).await.map_err(failed)? {
        return Err(auditor.refuse(&ApiError::HoldRefused));
    }
    let facts = auditor.facts_of(&app, action::HOLD_ADDED, (Outcome::Success, StatusCode::CREATED));
    auditor
        .append(
            &app,
            facts
                .with_detail("before", json!(null))
                .with_detail("after", json!(hold)),
        )
        .await?;
    tx.commit().await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(hold)))
}

/// Asks to release a hold. Somebody else must confirm it (`/v1/retention/changes/{id}/confirm`).
#[utoipa::path(
    post,
    path = "/v1/holds/{id}/release",
    operation_id = "releaseHold",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID")),
    request_body(content = Object, description = "`reason`"),
    responses((status = 202, description = "The change that waits for another person", body = Object), (status = 404, description = "`hold_not_found`"))
)]
pub(in crate::retention) async fn release_hold(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
    JsonBody(release): JsonBody<Release>,
) -> Result<(StatusCode, Json<Change>), Problem> {
    let wrong = |error: InvalidParameter| auditor.refuse(&error.into());
    let id = Uuid::try_parse(&id).map_err(|_| wrong(InvalidParameter::new("id", "not a UUID")))?;
    InvalidParameter::unless_text("reason", &release.reason, REASON_BYTES_MAX).map_err(wrong)?;
    let failed = |error| {
        tracing::error!(%error, "the release of a hold could not be asked for");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let mut tx = app.log.database().write().await.map_err(failed)?;
    let hold = store::find(&mut tx, id).await.map_err(failed)?;
    let hold = hold.ok_or_else(|| auditor.refuse(&ApiError::NoSuchHold))?;
    let now = app.clock.now();
    let change = Change {
        id: event_id(now),
        wish: Wish::Release {
            hold: hold.id,
            name: hold.name,
        },
        reason: release.reason,
        requested_by: auditor.subject().to_owned(),
        requested_at: now,
    };
    if !change::store::ask(&mut tx, &change).await.map_err(failed)? {
        return Err(auditor.refuse(&ApiError::ChangeAskedFor));
    }
    let facts = auditor.facts_of(
        &app,
        action::RETENTION_CHANGE_REQUESTED,
        (Outcome::Success, StatusCode::ACCEPTED),
    );
    auditor
        .append(
            &app,
            facts
                .with_detail("before", json!(null))
                .with_detail("after", json!(change)),
        )
        .await?;
    tx.commit().await.map_err(failed)?;
    Ok((StatusCode::ACCEPTED, Json(change)))
}
