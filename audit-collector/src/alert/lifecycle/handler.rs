//! The HTTP side of what people do with alerts.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;
use shared::event::{Outcome, action, event_id};
use shared::http::problem::Problem;

use super::body::{Act, NewNote, Note};
use super::standing::{Change, Standing};
use super::store;
use crate::access::scope::AuditRespond;
use crate::access::{IfMatch, JsonBody, Permitted, check_text};
use crate::alert::AlertBody;
use crate::alert::handler::{answer, existing, parse_fingerprint};
use crate::app::AppState;
use crate::error::ApiError;

/// The longest note, in bytes.
const NOTE_BYTES_MAX: usize = 4096;

/// Changes who looks after an alert, how far it is dealt with, and what it turned out to be.
///
/// `If-Match` carries the `revision` that the caller has seen. A closed alert has a verdict and keeps it when it grows; whoever
/// opens it again takes the verdict back.
#[utoipa::path(
    patch,
    path = "/v1/alerts/{fingerprint}",
    operation_id = "changeAlert",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    params(
        ("fingerprint" = String, Path, description = "32 hexadecimal digits"),
        ("If-Match" = String, Header, description = "The `ETag` that was seen: the alert's `revision` in quotes"),
    ),
    request_body(content = Object, description = "Of `status`, `verdict` and `assignee` (null: nobody) what is to change"),
    responses(
        (status = 200, description = "The alert as it stands now", body = Object),
        (status = 404, description = "`alert_not_found`"),
        (status = 409, description = "`alert_closed`"),
        (status = 412, description = "`precondition_failed`: somebody else changed it meanwhile"),
        (status = 428, description = "`precondition_required`"),
    )
)]
pub(super) async fn change_alert(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(text): Path<String>,
    seen: IfMatch,
    JsonBody(change): JsonBody<Change>,
) -> Result<Response, Problem> {
    let fingerprint = parse_fingerprint(&text).map_err(|error| auditor.refuse(&error.into()))?;
    let alert = existing(&app, &auditor, fingerprint).await?;
    let refuse = |error: &ApiError| auditor.refuse(error);
    seen.check(alert.revision).map_err(|error| refuse(&error))?;
    let before = standing(&alert);
    let after = before.after(&change).map_err(|error| refuse(&error.into()))?;
    if after == before {
        return answer(&app, &auditor, alert).await;
    }
    let now = app.clock.now();
    let act = Act {
        id: event_id(now),
        at: now,
        author: auditor.name().to_owned(),
        before,
        after,
    };
    let failed = |error| refuse(&ApiError::from(&error));
    let database = app.log.database();
    let mut tx = database.write().await.map_err(failed)?;
    let has_changed = store::change(&mut tx, (fingerprint, alert.revision), &act).await;
    if !has_changed.map_err(failed)? {
        return Err(refuse(&ApiError::PreconditionFailed));
    }
    let facts = auditor
        .facts_of(&app, action::ALERT_CHANGED, (Outcome::Success, StatusCode::OK))
        .with_detail("fingerprint", alert.fingerprint.as_str())
        .with_detail("rule", alert.rule.as_str())
        .with_detail("before", json!(act.before))
        .with_detail("after", json!(act.after));
    auditor.append(&app, facts).await?;
    database.commit(tx).await.map_err(failed)?;
    let Standing {
        status,
        verdict,
        assignee,
    } = act.after;
    let changed = AlertBody {
        status,
        verdict,
        assignee,
        updated_at: now,
        revision: alert.revision + 1,
        ..alert
    };
    answer(&app, &auditor, changed).await
}

/// Writes a note to an alert, with the caller's name and the time. Notes are not changed afterwards.
#[utoipa::path(
    post,
    path = "/v1/alerts/{fingerprint}/notes",
    operation_id = "addAlertNote",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    params(("fingerprint" = String, Path, description = "32 hexadecimal digits")),
    request_body(content = Object, description = "`text`, of 1 to 4096 bytes"),
    responses(
        (status = 201, description = "The note: `id`, `written_at`, `author`, `text`", body = Object),
        (status = 404, description = "`alert_not_found`"),
        (status = 409, description = "`alert_notes_full`"),
    )
)]
pub(super) async fn add_note(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(text): Path<String>,
    JsonBody(new): JsonBody<NewNote>,
) -> Result<Response, Problem> {
    let fingerprint = parse_fingerprint(&text).map_err(|error| auditor.refuse(&error.into()))?;
    let refuse = |error: &ApiError| auditor.refuse(error);
    check_text("a note", &new.text, NOTE_BYTES_MAX).map_err(|error| refuse(&error))?;
    let alert = existing(&app, &auditor, fingerprint).await?;
    let now = app.clock.now();
    let note = Note {
        id: event_id(now),
        written_at: now,
        author: auditor.name().to_owned(),
        text: new.text,
    };
    let failed = |error| refuse(&ApiError::from(&error));
    let database = app.log.database();
    let mut tx = database.write().await.map_err(failed)?;
    let before = store::add_note(&mut tx, fingerprint, &note)
        .await
        .map_err(failed)?;
    let before = before.ok_or_else(|| refuse(&ApiError::NotesFull))?;
    // The text itself stays with the alert, where it goes with it.
    let facts = auditor
        .facts_of(&app, action::ALERT_NOTED, (Outcome::Success, StatusCode::CREATED))
        .with_detail("fingerprint", alert.fingerprint)
        .with_detail("rule", alert.rule)
        .with_detail("before", json!({ "notes": before }))
        .with_detail("after", json!({ "notes": before + 1, "note": note.id }));
    auditor.append(&app, facts).await?;
    database.commit(tx).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(note)).into_response())
}

fn standing(alert: &AlertBody) -> Standing {
    Standing {
        status: alert.status,
        verdict: alert.verdict,
        assignee: alert.assignee.clone(),
    }
}
