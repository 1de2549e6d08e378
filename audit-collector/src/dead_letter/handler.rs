//! The HTTP side of dead letters.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::event::{Facts, Outcome};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::desk::{Act, Desk, Tally, Witness};
use super::kept::{KeptLetter, LetterBody, LetterPage};
use super::wanted::{Bulk, Wanted, take_because};
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::{InvalidParameter, Parameters};

/// Letters in one call at most, so that it is answered in seconds.
const BULK_MAX: u64 = 1_000;

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
        ("publisher" = Option<String>, Query, description = "The user of the broker that sent them"),
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
    let given = wanted.which.given();
    let filter = given.iter().map(|(name, value)| (*name, value.as_str()));
    let page = auditor.record_read(&app, filter, reading).await?;
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
    let replayed = desk(&app, &auditor).replay(&letter).await;
    let event = replayed.map_err(|error| auditor.refuse(&error))?;
    Ok(Json(json!({ "event": event })))
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
    let because = Parameters::parse(&query.unwrap_or_default())
        .and_then(|mut parameters| {
            let because = take_because(&mut parameters)?;
            parameters.end()?;
            Ok(because)
        })
        .map_err(|error| auditor.refuse(&error.into()))?;
    let letter = find(&app, &auditor, id).await?;
    let dropped = desk(&app, &auditor).drop(&letter, &because).await;
    dropped.map_err(|error| auditor.refuse(&error))?;
    Ok(StatusCode::NO_CONTENT)
}

/// Replays all dead letters that the parameters name, at most 1,000 in one call, the latest first.
///
/// With `dry_run` nothing changes, and the answer says what would come of it. What is no event yet stays, and is counted by why.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/replay",
    operation_id = "replayDeadLetters",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(
        ("reason" = Option<String>, Query, description = "Such as `malformed`; at least one of these four is given"),
        ("publisher" = Option<String>, Query, description = "The user of the broker that sent them"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339) at which one was received"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("dry_run" = Option<bool>, Query, description = "Change nothing"),
    ),
    responses((status = 200, description = "`matched`, `done`, `refused` by why, and whether there are `more`", body = Object))
)]
pub(super) async fn replay_dead_letters(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    RawQuery(query): RawQuery,
) -> Result<Json<Tally>, Problem> {
    let bulk = Parameters::parse(&query.unwrap_or_default()).and_then(Bulk::of);
    let bulk = bulk.map_err(|error| auditor.refuse(&error.into()))?;
    act(&app, &auditor, bulk, &Act::Replay).await
}

/// Drops all dead letters that the parameters name, at most 1,000 in one call, the latest first. Their numbers stay filled.
#[utoipa::path(
    post,
    path = "/v1/dead-letters/drop",
    operation_id = "dropDeadLetters",
    tag = "log",
    security(("bearer" = ["audit:respond"])),
    params(
        ("because" = String, Query, description = "Why, for the record"),
        ("reason" = Option<String>, Query, description = "Such as `malformed`; at least one of these four is given"),
        ("publisher" = Option<String>, Query, description = "The user of the broker that sent them"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339) at which one was received"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("dry_run" = Option<bool>, Query, description = "Change nothing"),
    ),
    responses((status = 200, description = "`matched`, `done`, and whether there are `more`", body = Object))
)]
pub(super) async fn drop_dead_letters(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    RawQuery(query): RawQuery,
) -> Result<Json<Tally>, Problem> {
    let asked = Parameters::parse(&query.unwrap_or_default()).and_then(|mut parameters| {
        let because = take_because(&mut parameters)?;
        Ok((Bulk::of(parameters)?, because))
    });
    let (bulk, because) = asked.map_err(|error| auditor.refuse(&error.into()))?;
    act(&app, &auditor, bulk, &Act::Drop { because }).await
}

async fn act(app: &AppState, auditor: &Auditor, bulk: Bulk, act: &Act) -> Result<Json<Tally>, Problem> {
    let (is_dry_run, given) = (bulk.is_dry_run, bulk.which.given());
    let acted = desk(app, auditor).act(bulk, act, BULK_MAX).await;
    let tally = acted.map_err(|error| auditor.refuse(&error))?;
    if is_dry_run {
        // Nothing was changed, and what is there was told.
        let rows = i64::try_from(tally.matched).unwrap_or(i64::MAX);
        let filter = given.iter().map(|(name, value)| (*name, value.as_str()));
        auditor
            .record_read(app, filter, std::future::ready(Ok(((), rows))))
            .await?;
    }
    Ok(Json(tally))
}

/// Whoever asked, and the collector's own spool.
struct Asked<'a> {
    app: &'a AppState,
    auditor: &'a Auditor,
}

impl Witness for Asked<'_> {
    fn facts(&self, name: &str, ended: (Outcome, StatusCode)) -> Facts {
        self.auditor.facts_of(self.app, name, ended)
    }

    async fn record(&self, facts: Facts) -> Result<(), ApiError> {
        self.auditor.record(self.app, facts).await
    }
}

fn desk<'a>(app: &'a AppState, auditor: &'a Auditor) -> Desk<'a, Asked<'a>> {
    Desk {
        log: &app.log,
        clock: &app.clock,
        witness: Asked { app, auditor },
    }
}

fn letter_id(id: &str) -> Result<Uuid, InvalidParameter> {
    Uuid::try_parse(id).map_err(|_| InvalidParameter::new("id", "not a UUID"))
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
