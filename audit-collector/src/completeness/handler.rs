//! The HTTP side of completeness.

use axum::Json;
use axum::extract::{RawQuery, State};
use shared::http::problem::Problem;

use super::{Completeness, completeness};
use crate::access::Auditor;
use crate::app::AppState;
use crate::search::{Parameters, Period};

/// Whether a period is complete.
///
/// Every service numbers its events without a gap. What is missing is named by its numbers and the moments around it; a source
/// that fell silent, or was started anew without having ended, by its last number.
#[utoipa::path(
    get,
    path = "/v1/completeness",
    operation_id = "readCompleteness",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    params(
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after; without it the period reaches as far as can be known")
    ),
    responses((status = 200, description = "`verdict` (`complete`, `incomplete`, or `unknown` if no source was heard before the period ended), `complete`, `known_until` and at most 200 `findings`", body = Object))
)]
pub(super) async fn read_completeness(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<Completeness>, Problem> {
    let period = Parameters::parse(&query.unwrap_or_default())
        .and_then(Period::of)
        .map_err(|error| auditor.refuse(&error.into()))?;
    let given = [("from", period.from), ("to", period.to)];
    let given: Vec<_> = given
        .into_iter()
        .filter_map(|(name, time)| Some((name, time?.to_string())))
        .collect();
    let filter = given.iter().map(|(name, value)| (*name, value.as_str()));
    let reading = async {
        let answer = completeness(app.log.database(), &period, app.clock.now().minus(app.gap_after)).await?;
        // It tells of no single event.
        Ok((answer, 0))
    };
    let answer = auditor.record_read(&app, filter, reading).await?;
    Ok(Json(answer))
}
