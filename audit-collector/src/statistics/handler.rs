//! The HTTP side of the counts.

use axum::Json;
use axum::extract::{RawQuery, State};
use shared::http::problem::Problem;

use super::Summary;
use crate::access::Auditor;
use crate::app::AppState;
use crate::search::Parameters;

/// What a period's events add up to.
#[utoipa::path(
    get,
    path = "/v1/stats/summary",
    operation_id = "readSummary",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after")
    ),
    responses((status = 200, description = "Counts by class, outcome, reason, action, user, address and route", body = Object))
)]
pub(super) async fn read_summary(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<Summary>, Problem> {
    let parameters = Parameters::parse(&query.unwrap_or_default());
    let filter = parameters
        .and_then(|parameters| parameters.filter(app.clock.now()))
        .map_err(|error| auditor.refuse(&error.into()))?;
    // What a summary tells of is every event in it.
    let reading = async {
        let summary = app.log.summary(&filter).await?;
        let rows = summary.events;
        Ok((summary, rows))
    };
    let summary = auditor.record_read(&app, filter.given(), reading).await?;
    Ok(Json(summary))
}
