//! The HTTP side of the counts.

use axum::Json;
use axum::extract::{RawQuery, State};
use shared::http::problem::Problem;

use super::Summary;
use crate::access::Auditor;
use crate::app::AppState;
use crate::search::Period;

/// What a period's events add up to.
#[utoipa::path(
    get,
    path = "/v1/stats/summary",
    operation_id = "readSummary",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
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
    let query = query.unwrap_or_default();
    let period = Period::parse(&query).map_err(|error| auditor.refuse(&error.into()))?;
    let given = [("from", period.from), ("to", period.to)];
    let given: Vec<_> = given
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?.to_string())))
        .collect();
    let filter = given.iter().map(|(name, value)| (*name, value.as_str()));
    // What a summary tells of is every event in it.
    let reading = async {
        let summary = app.log.summary(&period).await?;
        let rows = summary.events;
        Ok((summary, rows))
    };
    let summary = auditor.record_read(&app, filter, reading).await?;
    Ok(Json(summary))
}
