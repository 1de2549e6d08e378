//! The HTTP side of dead letters.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::event::{Facts, Outcome, action};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::kept::{KeptLetter, LetterBody, LetterPage, Wanted};
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::event_log::Arrival;
use crate::ingest::{Judged, judge};
use crate::search::{InvalidParameter, Parameters};

/// The longest reason for a removal that is taken, in bytes.
const BECAUSE_BYTES_MAX: usize = 256;

/// Dead letters, the latest first, without their bytes.
#[utoipa::path(
    get,
    path = "/v1/dead-letters",
    operation_id = "listDeadLetters",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339) at which one was received"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("reason" = Option<String>, Query, description = "Such as `malformed`"),
        ("limit" = Option<u16>, Query, description = "Letters of a page at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "`dead_letters`, and `next_cursor`, which is null on the last page", body = Object))
)]
pub(super) async fn list_dead_letters(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<LetterPage>, Problem> {
    let wanted = Wanted::parse(&query.unwrap_or_default()).map_err(|error| auditor.refuse(&error.into()))?;
    let reading = async {
        let page = LetterPage::of(app.log.dead_letters(&wanted).await?, wanted.limit);
        let rows = i64::try_from(page.dead_letters.len()).unwrap_or(i64::MAX);
        Ok((page, rows))
    };
    let given = wanted.reason.as_deref().map(|reason| ("reason", reason));
    let page = auditor.record_read(&app, given.into_iter(), reading).await?;
    Ok(Json(page))
}

/// One dead letter with its bytes: as text if they are UTF-8, or else in base64; never interpreted.
#[utoipa::path(
    get,
    path = "/v1/dead-letters/{id}",
    operation_id = "readDeadLetter",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "The dead letter", body = Object), (status = 404, description = "`dead_letter_not_found`"))
)]
pub(super) async fn read_dead_letter(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
) -> Result<Json<LetterBody>, Problem> {
    let id = letter_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let letter = find(&app, &auditor, id).await?;
    Ok(Json(letter.told(true)))
}

/// Judges a dead letter again, with the sender that it came from, and stores it if it is an event.
///
/// One of which only a part is kept cannot be replayed. One that is no event yet stays, and the answer says why.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/{id}/replay",
    operation_id = "replayDeadLetter",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "`event`, its id", body = Object), (status = 404, description = "`dead_letter_not_found`"),
        (status = 409, description = "`dead_letter_cut`, `dead_letter_refused`"))
)]
pub(super) async fn replay_dead_letter(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let id = letter_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let letter = find(&app, &auditor, id).await?;
    let event = match replay(&app, &letter).await {
        Ok(event) => event,
        Err(error) => {
            let problem = auditor.refuse(&error);
            let facts = auditor.facts_of(
                &app,
                action::DEAD_LETTER_REPLAYED,
                (Outcome::Failure, problem.status),
            );
            let facts = facts.because(error.code());
            auditor.append(&app, changed(facts, &letter, json!({}))).await?;
            return Err(problem);
        }
    };
    let after = json!({ "event": event });
    remove(&app, &auditor, &letter, action::DEAD_LETTER_REPLAYED, &after).await?;
    Ok(Json(after))
}

/// Drops a dead letter. Its number stays filled.
#[utoipa::path(
    delete,
    path = "/v1/dead-letters/{id}",
    operation_id = "dropDeadLetter",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID"), ("because" = String, Query, description = "Why, for the record")),
    responses((status = 204, description = "It is dropped"), (status = 404, description = "`dead_letter_not_found`"))
)]
pub(super) async fn drop_dead_letter(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<StatusCode, Problem> {
    let id = letter_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let because = because(&query.unwrap_or_default()).map_err(|error| auditor.refuse(&error.into()))?;
    let letter = find(&app, &auditor, id).await?;
    let after = json!({ "because": because });
    remove(&app, &auditor, &letter, action::DEAD_LETTER_DROPPED, &after).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn letter_id(id: &str) -> Result<Uuid, InvalidParameter> {
    Uuid::try_parse(id).map_err(|_| InvalidParameter::new("id", "not a UUID"))
}

fn because(query: &str) -> Result<String, InvalidParameter> {
    let mut parameters = Parameters::parse(query)?;
    let because = parameters.take("because");
    parameters.end()?;
    because
        .filter(|text| text.len() <= BECAUSE_BYTES_MAX)
        .ok_or_else(|| {
            InvalidParameter::new("because", format!("a text of at most {BECAUSE_BYTES_MAX} bytes"))
        })
}

/// Reads a letter, which is recorded.
async fn find(app: &AppState, auditor: &Auditor, id: Uuid) -> Result<KeptLetter, Problem> {
    let reading = async {
        let letter = app.log.dead_letter(id).await?;
        let rows = i64::from(letter.is_some());
        Ok((letter, rows))
    };
    let text = id.to_string();
    let filter = [("dead_letter", text.as_str())];
    let letter = auditor.record_read(app, filter.into_iter(), reading).await?;
    letter.ok_or_else(|| auditor.refuse(&ApiError::NoSuchDeadLetter))
}

/// Stores the letter as an event, and returns the event's id.
async fn replay(app: &AppState, letter: &KeptLetter) -> Result<Uuid, ApiError> {
    if !letter.is_whole() {
        return Err(ApiError::DeadLetterCut);
    }
    let arrival: Arrival = match judge(letter.body.clone().into(), letter.publisher.clone()) {
        Judged::Event(arrival) => *arrival,
        Judged::Dead(dead) => return Err(ApiError::DeadLetterRefused(dead.reason)),
    };
    let event = arrival.event.id;
    let clash = app.log.clash(&arrival).await;
    if let Some(reason) = clash.map_err(|error| ApiError::from(&error))? {
        return Err(ApiError::DeadLetterRefused(reason));
    }
    let storing = async {
        app.log.note_replay(event).await?;
        app.log.append(&[arrival], &[], app.clock.now()).await
    };
    match storing.await {
        Ok(_) => Ok(event),
        Err(error) if error.is_about_the_values() => Err(ApiError::DeadLetterRefused("unstorable")),
        Err(error) => Err(ApiError::from(&error)),
    }
}

/// Removes a letter and records it: neither happens without the other, unless the process dies between the two.
async fn remove(
    app: &AppState,
    auditor: &Auditor,
    letter: &KeptLetter,
    name: &str,
    after: &Value,
) -> Result<(), Problem> {
    let failed = |error| auditor.refuse(&ApiError::from(&error));
    let Some(tx) = app.log.removal(letter.id).await.map_err(failed)? else {
        return Err(auditor.refuse(&ApiError::NoSuchDeadLetter));
    };
    let facts = auditor.facts_of(app, name, (Outcome::Success, StatusCode::OK));
    auditor.append(app, changed(facts, letter, after.clone())).await?;
    app.log.database().commit(tx).await.map_err(failed)
}

fn changed(facts: Facts, letter: &KeptLetter, after: Value) -> Facts {
    facts
        .with_detail("before", letter.before())
        .with_detail("after", after)
}
