//! The HTTP side of silences.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Serialize;
use serde_json::json;
use shared::database::DatabaseError;
use shared::event::{Outcome, action};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{NewSilence, Silence, store};
use crate::access::scope::RulesWrite;
use crate::access::{Auditor, JsonBody, Permitted};
use crate::app::AppState;
use crate::detection::rule::Suppression;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// What is silenced, by people and by the operator's file.
#[derive(Serialize)]
pub(in crate::detection) struct Silences {
    silences: Vec<Silence>,
    /// Those of the file, which only a change of the file ends.
    of_file: Vec<Suppression>,
}

/// What is silenced, and what was: the latest to end first.
#[utoipa::path(
    get,
    path = "/v1/silences",
    operation_id = "listSilences",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`silences`, 500 at most, and those `of_file`", body = Object))
)]
pub(in crate::detection) async fn list_silences(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<Silences>, Problem> {
    let of_file = app.rules.borrow().suppressions().to_vec();
    let reading = async { Ok((store::latest(app.log.database()).await?, 0)) };
    let silences = auditor
        .record_read(&app, [("silences", "latest")].into_iter(), reading)
        .await?;
    Ok(Json(Silences { silences, of_file }))
}

/// Tells nobody of alerts of a rule, about a value, or of both together, for a while.
///
/// They are found and kept all the same, and order nothing. It holds for every collector from the next finding on.
#[utoipa::path(
    post,
    path = "/v1/silences",
    operation_id = "addSilence",
    tag = "detection",
    security(("bearer" = ["rules:write"])),
    request_body(content = Object, description = "`rule` (an id), `value` (of the group) or both, `reason`, and `seconds` from 60 to 2592000"),
    responses((status = 201, description = "The silence", body = Object), (status = 409, description = "`too_many_silences`"))
)]
pub(in crate::detection) async fn add_silence(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<RulesWrite>,
    JsonBody(new): JsonBody<NewSilence>,
) -> Result<(StatusCode, Json<Silence>), Problem> {
    let failed = |error: DatabaseError| {
        tracing::error!(%error, "a silence could not be added");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let rules = app.rules.borrow().clone();
    let silence = new
        .made(auditor.subject(), app.clock.now(), |rule| {
            rules.find(rule).is_some()
        })
        .map_err(|error| auditor.refuse(&error.into()))?;
    let mut tx = app.log.database().write().await.map_err(failed)?;
    if !store::add(&mut tx, &silence).await.map_err(failed)? {
        return Err(auditor.refuse(&ApiError::TooManySilences));
    }
    let facts = auditor.facts_of(
        &app,
        action::SILENCE_ADDED,
        (Outcome::Success, StatusCode::CREATED),
    );
    let facts = facts
        .with_detail("before", json!(null))
        .with_detail("after", json!(silence));
    auditor.append(&app, facts).await?;
    tx.commit().await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(silence)))
}

/// Ends a silence before its time.
#[utoipa::path(
    delete,
    path = "/v1/silences/{id}",
    operation_id = "endSilence",
    tag = "detection",
    security(("bearer" = ["rules:write"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 204, description = "It silences nothing any more"), (status = 404, description = "`silence_not_found`: there is none in force"))
)]
pub(in crate::detection) async fn end_silence(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<RulesWrite>,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let failed = |error: DatabaseError| {
        tracing::error!(%error, "a silence could not be ended");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let id = Uuid::try_parse(&id)
        .map_err(|_| auditor.refuse(&InvalidParameter::new("id", "not a UUID").into()))?;
    let mut tx = app.log.database().write().await.map_err(failed)?;
    let ended = store::end(&mut tx, id, auditor.subject(), app.clock.now()).await;
    let before = ended.map_err(failed)?;
    let before = before.ok_or_else(|| auditor.refuse(&ApiError::NoSuchSilence))?;
    let facts = auditor.facts_of(
        &app,
        action::SILENCE_ENDED,
        (Outcome::Success, StatusCode::NO_CONTENT),
    );
    let facts = facts
        .with_detail("before", json!(before))
        .with_detail("after", json!(null));
    auditor.append(&app, facts).await?;
    tx.commit().await.map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}
