//! The HTTP side of searches.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{EventBody, EventPage, InvalidParameter, Search};
use crate::access::Auditor;
use crate::app::AppState;
use crate::error::ApiError;

/// `GET /v1/events`
///
/// The read is recorded before it is answered: what cannot be recorded is not told.
pub(super) async fn list_events(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, Problem> {
    let search = Search::parse(&query.unwrap_or_default()).map_err(|error| auditor.refuse(&error.into()))?;
    let reading = async {
        let page = app.log.search(&search).await?;
        let rows = i64::try_from(page.events.len()).unwrap_or(i64::MAX);
        Ok((page, rows))
    };
    let page = auditor.record_read(&app, search.filter.given(), reading).await?;
    Ok(Json(page))
}

/// `GET /v1/events/{id}`
pub(super) async fn read_event(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventBody>, Problem> {
    let wrong = |name: &str, problem: &str| {
        auditor.refuse(&ApiError::Parameter(InvalidParameter {
            name: name.to_owned(),
            problem: problem.to_owned(),
        }))
    };
    if query.is_some_and(|query| !query.is_empty()) {
        return Err(wrong("query", "this takes no parameters"));
    }
    let id = Uuid::try_parse(&id).map_err(|_| wrong("id", "not a UUID"))?;
    let reading = async {
        let event = app.log.event(id).await?;
        let rows = i64::from(event.is_some());
        Ok((event, rows))
    };
    let text = id.to_string();
    let event = auditor
        .record_read(&app, [("id", text.as_str())].into_iter(), reading)
        .await?;
    event
        .map(Json)
        .ok_or_else(|| auditor.refuse(&ApiError::NoSuchEvent))
}
