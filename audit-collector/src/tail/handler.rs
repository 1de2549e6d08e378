//! The HTTP side of the live tail.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use serde_json::json;
use shared::http::problem::Problem;

use super::follow::{Frame, Tail};
use crate::access::Auditor;
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::{Filter, InvalidParameter, Parameters};

/// How often a reader hears that the connection lives, and the server finds out whether it does.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

const LAST_EVENT_ID: &str = "last-event-id";

/// Where a tail begins and what it shows.
struct Wish {
    filter: Filter,
    /// The position after which it begins.
    after: Option<u64>,
}

/// Events as they are stored, in the log's order.
///
/// Server-sent events whose `id` is the position in the log: an `EventSource` that comes back goes on where it was. The last
/// event is called `end` and says why: the token's refusal, or `stopping`.
#[utoipa::path(
    get,
    path = "/v1/events/stream",
    operation_id = "followEvents",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("after" = Option<u64>, Query, description = "Begins after that position; without it, with what comes"),
        ("last-event-id" = Option<u64>, Header, description = "The same, as browsers send it"),
    ),
    responses(
        (status = 200, description = "Events as `/v1/events` has them", body = String, content_type = "text/event-stream"),
        (status = 503, description = "`too_many_tails`")
    )
)]
pub(super) async fn follow_events(
    State(app): State<AppState>,
    auditor: Auditor,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let parameters =
        Parameters::parse(&query.unwrap_or_default()).map_err(|error| auditor.refuse(&error.into()))?;
    let wish = wish(parameters.clone(), &headers, &app).map_err(|error| auditor.refuse(&error.into()))?;
    let (Some(place), Some(admitted)) = (app.tails.take(), auditor.admitted()) else {
        return Err(auditor.refuse(&ApiError::TooManyTails));
    };
    let reading = async {
        let size = app.log.size().await?;
        Ok((size, 0))
    };
    let size = auditor.record_read(&app, parameters.given(), reading).await?;
    let tail = Tail {
        filter: wish.filter,
        // A position that there is not yet is one of another log.
        next: wish.after.map_or(size, |after| after.saturating_add(1).min(size)),
        guard: app.guard.clone(),
        admitted,
        stopping: app.tails.stopping(),
        place,
        log: app.log,
    };
    let keep_alive = KeepAlive::new().interval(KEEP_ALIVE);
    let frames = tail.frames().map(|frame| Ok::<_, Infallible>(sent(frame)));
    Ok(Sse::new(frames).keep_alive(keep_alive).into_response())
}

/// A frame as server-sent events write it.
fn sent(frame: Frame) -> Event {
    match frame {
        Frame::Event(position, body) => Event::default().id(position.to_string()).data(body),
        Frame::Passed(position) => Event::default().id(position.to_string()),
        Frame::End(reason) => Event::default()
            .event("end")
            .data(json!({"reason": reason}).to_string()),
    }
}

fn wish(mut parameters: Parameters, headers: &HeaderMap, app: &AppState) -> Result<Wish, InvalidParameter> {
    let mut after = parameters.number("after", 0..=u64::MAX)?;
    if let Some(last) = headers.get(LAST_EVENT_ID) {
        let last = last.to_str().ok().and_then(|text| text.parse().ok());
        after = Some(last.ok_or_else(|| InvalidParameter::new(LAST_EVENT_ID, "not a position in the log"))?);
    }
    Ok(Wish {
        after,
        filter: parameters.filter(app.clock.now())?,
    })
}
