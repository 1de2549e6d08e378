//! The HTTP side of saved searches.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;
use serde_json::json;
use shared::database::Tx;
use shared::event::{Outcome, action, event_id};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::question::{Changes, Question};
use super::{NoRoom, SavedSearch, store};
use crate::access::scope::RulesWrite;
use crate::access::{Auditor, IfMatch, JsonBody, etag};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// What a reader sees.
#[derive(Serialize)]
pub(super) struct Searches {
    searches: Vec<SavedSearch>,
}

/// A search with its version.
type Versioned = ([(HeaderName, HeaderValue); 1], Json<SavedSearch>);

/// The caller's own searches and those for everybody, by name.
#[utoipa::path(
    get,
    path = "/v1/searches",
    operation_id = "listSearches",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`searches`", body = Object))
)]
pub(super) async fn list_searches(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<Searches>, Problem> {
    let reading = async { Ok((store::visible(app.log.database(), auditor.subject()).await?, 0)) };
    let searches = auditor
        .record_read(&app, [("searches", "visible")].into_iter(), reading)
        .await?;
    Ok(Json(Searches { searches }))
}

/// One of them.
#[utoipa::path(
    get,
    path = "/v1/searches/{id}",
    operation_id = "readSearch",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "The search; `ETag` names its version", body = Object), (status = 404, description = "`search_not_found`: there is none, or it is somebody else's own"))
)]
pub(super) async fn read_search(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
) -> Result<Versioned, Problem> {
    let id = search_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let reading = async { Ok((store::one(app.log.database(), auditor.subject(), id).await?, 0)) };
    let text = id.to_string();
    let search = auditor
        .record_read(&app, [("search", text.as_str())].into_iter(), reading)
        .await?;
    let search = search.ok_or_else(|| auditor.refuse(&ApiError::NoSuchSearch))?;
    Ok(versioned(search))
}

/// Keeps a search: for the caller alone or, with `rules:write`, for everybody.
#[utoipa::path(
    post,
    path = "/v1/searches",
    operation_id = "addSearch",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    request_body(content = Object, description = "`name`, `q` (a filter of docs/search.md) and, if wanted, `from`, `to` and `shared`"),
    responses((status = 201, description = "The search; `ETag` names its version", body = Object), (status = 403, description = "`insufficient_scope`: `shared` needs `rules:write`"), (status = 409, description = "`search_exists` or `too_many_searches`"))
)]
pub(super) async fn add_search(
    State(app): State<AppState>,
    auditor: Auditor,
    JsonBody(question): JsonBody<Question>,
) -> Result<(StatusCode, Versioned), Problem> {
    let now = app.clock.now();
    let question = question
        .checked(now)
        .map_err(|error| auditor.refuse(&error.into()))?;
    if question.shared {
        auditor.demand::<RulesWrite>(&app).await?;
    }
    let search = SavedSearch {
        id: event_id(now),
        owner: auditor.subject().to_owned(),
        question,
        version: 1,
        made_at: now,
        changed_at: now,
    };
    let change = Change {
        id: search.id,
        action: action::SEARCH_SAVED,
        status: StatusCode::CREATED,
        before: None,
        after: Some(&search),
    };
    let tx = app.log.database().write().await;
    let tx = tx.map_err(|error| failed(&auditor, &error))?;
    change.make(tx, &app, &auditor).await?;
    Ok((StatusCode::CREATED, versioned(search)))
}

/// Changes one: the caller's own or, with `rules:write`, one that is or becomes there for everybody.
#[utoipa::path(
    patch,
    path = "/v1/searches/{id}",
    operation_id = "changeSearch",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID"), ("If-Match" = String, Header, description = "The `ETag` that was seen")),
    request_body(content = Object, description = "Any of `name`, `q`, `from`, `to` and `shared`; null takes `from` or `to` away"),
    responses(
        (status = 200, description = "The search; `ETag` names its version", body = Object),
        (status = 403, description = "`insufficient_scope`: it is shared, which needs `rules:write`"),
        (status = 404, description = "`search_not_found`"),
        (status = 409, description = "`search_exists` or `too_many_searches`"),
        (status = 412, description = "`precondition_failed`: somebody changed it meanwhile"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn change_search(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
    seen: IfMatch,
    JsonBody(changes): JsonBody<Changes>,
) -> Result<Versioned, Problem> {
    let wrong = |error: InvalidParameter| auditor.refuse(&error.into());
    let id = search_id(&id).map_err(wrong)?;
    let (tx, before) = find(&app, &auditor, id).await?;
    let now = app.clock.now();
    let question = before.question.clone().changed(changes);
    let question = question.checked(now).map_err(wrong)?;
    if before.question.shared || question.shared {
        auditor.demand::<RulesWrite>(&app).await?;
    }
    seen.check(before.version)
        .map_err(|error| auditor.refuse(&error))?;
    let after = SavedSearch {
        question,
        version: before.version.saturating_add(1),
        changed_at: now,
        ..before.clone()
    };
    let change = Change {
        id,
        action: action::SEARCH_CHANGED,
        status: StatusCode::OK,
        before: Some(&before),
        after: Some(&after),
    };
    change.make(tx, &app, &auditor).await?;
    Ok(versioned(after))
}

/// Forgets one: the caller's own or, with `rules:write`, one that is there for everybody.
#[utoipa::path(
    delete,
    path = "/v1/searches/{id}",
    operation_id = "deleteSearch",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID"), ("If-Match" = String, Header, description = "The `ETag` that was seen")),
    responses(
        (status = 204, description = "It is gone"),
        (status = 403, description = "`insufficient_scope`: it is shared, which needs `rules:write`"),
        (status = 404, description = "`search_not_found`"),
        (status = 412, description = "`precondition_failed`: somebody changed it meanwhile"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(super) async fn delete_search(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
    seen: IfMatch,
) -> Result<StatusCode, Problem> {
    let id = search_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let (tx, before) = find(&app, &auditor, id).await?;
    if before.question.shared {
        auditor.demand::<RulesWrite>(&app).await?;
    }
    seen.check(before.version)
        .map_err(|error| auditor.refuse(&error))?;
    let change = Change {
        id,
        action: action::SEARCH_DELETED,
        status: StatusCode::NO_CONTENT,
        before: Some(&before),
        after: None,
    };
    change.make(tx, &app, &auditor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A search before and after: there is none before it is made, and none after it is deleted.
struct Change<'s> {
    id: Uuid,
    action: &'static str,
    status: StatusCode,
    before: Option<&'s SavedSearch>,
    after: Option<&'s SavedSearch>,
}

impl Change<'_> {
    /// Makes it, once it is recorded.
    async fn make(self, mut tx: Tx<'_>, app: &AppState, auditor: &Auditor) -> Result<(), Problem> {
        if let Some(after) = self.after {
            let kept = store::keep(&mut tx, after).await;
            let kept = kept.map_err(|error| failed(auditor, &error))?;
            kept.map_err(|no_room| auditor.refuse(&no_room.into()))?;
        } else {
            let removed = store::remove(&mut tx, self.id).await;
            removed.map_err(|error| failed(auditor, &error))?;
        }
        let facts = auditor.facts_of(app, self.action, (Outcome::Success, self.status));
        let facts = facts
            .with_detail("before", json!(self.before))
            .with_detail("after", json!(self.after));
        auditor.append(app, facts).await?;
        tx.commit().await.map_err(|error| failed(auditor, &error))
    }
}

impl From<NoRoom> for ApiError {
    fn from(no_room: NoRoom) -> Self {
        match no_room {
            NoRoom::NameTaken => Self::SearchExists,
            NoRoom::TooMany => Self::TooManySearches,
        }
    }
}

/// The search with that id, which nobody else changes until the transaction ends.
async fn find<'a>(app: &'a AppState, auditor: &Auditor, id: Uuid) -> Result<(Tx<'a>, SavedSearch), Problem> {
    let tx = app.log.database().write().await;
    let mut tx = tx.map_err(|error| failed(auditor, &error))?;
    let search = store::find(&mut tx, auditor.subject(), id).await;
    let search = search.map_err(|error| failed(auditor, &error))?;
    let search = search.ok_or_else(|| auditor.refuse(&ApiError::NoSuchSearch))?;
    Ok((tx, search))
}

fn failed(auditor: &Auditor, error: &shared::database::DatabaseError) -> Problem {
    tracing::error!(%error, "a saved search could not be changed");
    auditor.refuse(&ApiError::LogUnavailable)
}

fn versioned(search: SavedSearch) -> Versioned {
    ([(ETAG, etag(search.version))], Json(search))
}

fn search_id(id: &str) -> Result<Uuid, InvalidParameter> {
    Uuid::try_parse(id).map_err(|_| InvalidParameter::new("id", "not a UUID"))
}
