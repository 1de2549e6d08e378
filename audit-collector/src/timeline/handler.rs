//! The HTTP side of timelines.

use axum::Json;
use axum::extract::{RawQuery, State};
use shared::http::problem::Problem;

use super::{Story, Timeline};
use crate::access::Auditor;
use crate::app::AppState;
use crate::search::Parameters;

/// The life of a session, a token or a user, in the order of time.
///
/// Exactly one of `sid`, `jti` and `sub` is given. A token's life is told with the session around it: sign-in, tokens, every call,
/// refreshes, the end and the first refusal after it.
#[utoipa::path(
    get,
    path = "/v1/timeline",
    operation_id = "readTimeline",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("sid" = Option<String>, Query, description = "A session"),
        ("jti" = Option<String>, Query, description = "A token"),
        ("sub" = Option<String>, Query, description = "A subject"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("limit" = Option<u16>, Query, description = "Events of a page at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "`summary` (on the first page), `events`, and `next_cursor`, which is null on the last page", body = Object))
)]
pub(super) async fn read_timeline(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<Story>, Problem> {
    let query = query.unwrap_or_default();
    let refuse = |error: crate::search::InvalidParameter| auditor.refuse(&error.into());
    let timeline = Timeline::parse(&query, app.clock.now()).map_err(refuse)?;
    let parameters = Parameters::parse(&query).map_err(refuse)?;
    let reading = async {
        let story = app.log.timeline(&timeline).await?;
        let rows = i64::try_from(story.events.len()).unwrap_or(i64::MAX);
        Ok((story, rows))
    };
    let story = auditor.record_read(&app, parameters.given(), reading).await?;
    Ok(Json(story))
}
