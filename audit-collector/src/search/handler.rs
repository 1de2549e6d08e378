//! The HTTP side of searches.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::{EventBody, EventPage, InvalidParameter, Search};
use crate::access::Auditor;
use crate::app::AppState;
use crate::error::ApiError;

/// Events, the newest first.
///
/// Every parameter that is given must hold. The read is recorded before it is answered: what cannot be recorded is not told.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "listEvents",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter, such as `user:alice outcome:denied status:>=400 last:24h` (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("user" = Option<String>, Query, description = "A name or a subject"),
        ("sub" = Option<String>, Query, description = "A subject"),
        ("sid" = Option<String>, Query, description = "A session"),
        ("jti" = Option<String>, Query, description = "A token"),
        ("ip" = Option<String>, Query, description = "The client's address or network"),
        ("country" = Option<String>, Query, description = "The country of the client's address (ISO 3166-1)"),
        ("asn" = Option<String>, Query, description = "The autonomous system of the client's address"),
        ("route" = Option<String>, Query, description = "A route by its name or, with a slash at its beginning, by its template"),
        ("path" = Option<String>, Query, description = "A path as it was asked for"),
        ("outcome" = Option<String>, Query, description = "`granted`, `denied`, `success`, `failure` or `error`"),
        ("class" = Option<String>, Query, description = "`access`, `auth`, `admin`, `system` or `alert`"),
        ("action" = Option<String>, Query, description = "Such as `api_request`"),
        ("reason" = Option<String>, Query, description = "Such as `token_expired`"),
        ("request_id" = Option<String>, Query, description = "A request"),
        ("service" = Option<String>, Query, description = "Who reports it"),
        ("method" = Option<String>, Query, description = "A method of HTTP"),
        ("status" = Option<String>, Query, description = "An HTTP status, or a class of them such as `4xx`"),
        ("last" = Option<String>, Query, description = "Not longer ago, such as `24h`"),
        ("client" = Option<String>, Query, description = "The client that the token was minted for"),
        ("identity" = Option<String>, Query, description = "`verified`, `claimed` or `none`"),
        ("instance" = Option<String>, Query, description = "Which instance of the service"),
        ("limit" = Option<u16>, Query, description = "Events of a page at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "`events`, and `next_cursor`, which is null on the last page", body = Object))
)]
pub(super) async fn list_events(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<EventPage>, Problem> {
    let search = Search::parse(&query.unwrap_or_default(), app.clock.now())
        .map_err(|error| auditor.refuse(&error.into()))?;
    let reading = async {
        let page = app.log.search(&search).await?;
        let rows = i64::try_from(page.events.len()).unwrap_or(i64::MAX);
        Ok((page, rows))
    };
    let page = auditor.record_read(&app, search.filter.given(), reading).await?;
    Ok(Json(page))
}

/// One event.
#[utoipa::path(
    get,
    path = "/v1/events/{id}",
    operation_id = "readEvent",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "The event", body = Object), (status = 404, description = "`event_not_found`"))
)]
pub(super) async fn read_event(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<EventBody>, Problem> {
    let wrong = |name: &str, problem: &str| {
        auditor.refuse(&ApiError::Parameter(InvalidParameter::new(name, problem)))
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
