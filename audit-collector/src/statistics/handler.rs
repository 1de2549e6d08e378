//! The HTTP side of the counts.

use axum::Json;
use axum::extract::{RawQuery, State};
use shared::http::problem::Problem;

use super::{
    Completions, Distinct, Facets, Heatmap, New, Percentiles, Question, Ratio, Series, Summary, Top,
};
use crate::access::Auditor;
use crate::app::AppState;
use crate::search::Parameters;

/// Answers a question and records that it was asked.
async fn answer<Q: Question>(
    app: &AppState,
    auditor: &Auditor,
    query: Option<String>,
) -> Result<Json<Q::Answer>, Problem> {
    let parameters =
        Parameters::parse(&query.unwrap_or_default()).map_err(|error| auditor.refuse(&error.into()))?;
    let question =
        Q::read(parameters.clone(), app.clock.now()).map_err(|error| auditor.refuse(&error.into()))?;
    let reading = async {
        let answer = app.log.ask(&question).await?;
        let events = Q::events(&answer);
        Ok((answer, events))
    };
    let answer = auditor.record_read(app, parameters.given(), reading).await?;
    Ok(Json(answer))
}

/// What a period's events add up to.
#[utoipa::path(
    get,
    path = "/v1/stats/summary",
    operation_id = "readSummary",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after")
    ),
    responses((status = 200, description = "Counts by class, outcome, reason, action, user, address and route; `user_error` and `address_error` if those are lower bounds: how many events each may have more, at most", body = Object))
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

/// Events over time, in all or by the most frequent values of a field.
///
/// Without a beginning, the last 24 hours.
#[utoipa::path(
    get,
    path = "/v1/stats/series",
    operation_id = "readSeries",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("by" = Option<String>, Query, description = "A field such as `outcome`, `user`, `ip` or `route`"),
        ("limit" = Option<u16>, Query, description = "Values at most; the others are one line"),
        ("bucket" = Option<String>, Query, description = "The width of a stretch: `auto`, `30s`, `5m`, `1h`, `1d`"),
        ("offset" = Option<i64>, Query, description = "How far the reader's clock is ahead of UTC, in minutes"),
    ),
    responses((status = 200, description = "`starts` of the stretches, and for each of `groups`, `rest` and `without` its `events` in each of them", body = Object))
)]
pub(super) async fn read_series(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Series as Question>::Answer>, Problem> {
    answer::<Series>(&app, &auditor, query).await
}

/// The most frequent values of a field.
///
/// With how many there are, and the events of all others. Of very many users or addresses the numbers of events are lower bounds, and it is said how
/// much higher they may be.
#[utoipa::path(
    get,
    path = "/v1/stats/top",
    operation_id = "readTop",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("by" = Option<String>, Query, description = "A field such as `outcome`, `user`, `ip` or `route`"),
        ("limit" = Option<u16>, Query, description = "Values at most"),
    ),
    responses((status = 200, description = "`values` with their `events`; `distinct`, `rest`, `without`; unless `exact`, `error`: how many events each value may have more than is told, at most", body = Object))
)]
pub(super) async fn read_top(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Top as Question>::Answer>, Problem> {
    answer::<Top>(&app, &auditor, query).await
}

/// How many values of a field there are.
///
/// Exactly while they are few, else with the standard error that is told.
#[utoipa::path(
    get,
    path = "/v1/stats/distinct",
    operation_id = "readDistinct",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("by" = Option<String>, Query, description = "A field such as `outcome`, `user`, `ip` or `route`"),
    ),
    responses((status = 200, description = "`distinct`, and all `events`; unless `exact`, `error`: the standard error as a share of `distinct`", body = Object))
)]
pub(super) async fn read_distinct(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Distinct as Question>::Answer>, Problem> {
    answer::<Distinct>(&app, &auditor, query).await
}

/// Which share of the events meets a second filter.
///
/// Without a beginning, of the last 24 hours.
#[utoipa::path(
    get,
    path = "/v1/stats/ratio",
    operation_id = "readRatio",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("of" = Option<String>, Query, description = "The second filter"),
        ("bucket" = Option<String>, Query, description = "The width of a stretch: `auto`, `30s`, `5m`, `1h`, `1d`"),
        ("offset" = Option<i64>, Query, description = "How far the reader's clock is ahead of UTC, in minutes"),
    ),
    responses((status = 200, description = "The share of `all`, and of each of `stretches`", body = Object))
)]
pub(super) async fn read_ratio(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Ratio as Question>::Answer>, Problem> {
    answer::<Ratio>(&app, &auditor, query).await
}

/// How long answers took, in microseconds.
///
/// To the head of the answer, by the nearest rank: exactly while they are few, else with the error that is told.
#[utoipa::path(
    get,
    path = "/v1/stats/percentiles",
    operation_id = "readPercentiles",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("by" = Option<String>, Query, description = "A field such as `outcome`, `user`, `ip` or `route`"),
        ("limit" = Option<u16>, Query, description = "Groups at most"),
    ),
    responses((status = 200, description = "`groups` with `events`, `min`, `p50` to `p999` and `max`", body = Object))
)]
pub(super) async fn read_percentiles(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Percentiles as Question>::Answer>, Problem> {
    answer::<Percentiles>(&app, &auditor, query).await
}

/// Events by weekday and hour.
///
/// Monday to Sunday, by the clock of the reader.
#[utoipa::path(
    get,
    path = "/v1/stats/heatmap",
    operation_id = "readHeatmap",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("offset" = Option<i64>, Query, description = "How far the reader's clock is ahead of UTC, in minutes"),
    ),
    responses((status = 200, description = "`weekdays`: seven lists of 24 counts", body = Object))
)]
pub(super) async fn read_heatmap(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Heatmap as Question>::Answer>, Problem> {
    answer::<Heatmap>(&app, &auditor, query).await
}

/// Values of a field that were not seen before a moment.
///
/// What was before is looked up as far back as the period goes.
#[utoipa::path(
    get,
    path = "/v1/stats/new",
    operation_id = "readNew",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("by" = Option<String>, Query, description = "A field such as `outcome`, `user`, `ip` or `route`"),
        ("since" = Option<String>, Query, description = "The moment (RFC 3339)"),
        ("limit" = Option<u16>, Query, description = "Values at most"),
    ),
    responses((status = 200, description = "`values` with `first`, `last` and `events`, the newest first", body = Object))
)]
pub(super) async fn read_new(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<New as Question>::Answer>, Problem> {
    answer::<New>(&app, &auditor, query).await
}

/// The most frequent values of several fields.
///
/// All of one moment.
#[utoipa::path(
    get,
    path = "/v1/stats/facets",
    operation_id = "readFacets",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("fields" = Option<String>, Query, description = "Fields, with commas between them"),
        ("limit" = Option<u16>, Query, description = "Values of each at most"),
    ),
    responses((status = 200, description = "`facets`: each `field` with its `values`, and `error` if those are lower bounds: how many events each may have more, at most", body = Object))
)]
pub(super) async fn read_facets(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Facets as Question>::Answer>, Problem> {
    answer::<Facets>(&app, &auditor, query).await
}

/// What may follow in a filter: names of fields, or values of one.
///
/// Values are those of the last week, unless a period is given.
#[utoipa::path(
    get,
    path = "/v1/stats/completions",
    operation_id = "readCompletions",
    tag = "statistics",
    security(("bearer" = ["audit:read"])),
    params(
        ("q" = Option<String>, Query, description = "A filter (docs/search.md)"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
        ("field" = Option<String>, Query, description = "The field whose values are wanted; without it, the names of fields"),
        ("prefix" = Option<String>, Query, description = "What they begin with"),
        ("limit" = Option<u16>, Query, description = "At most so many"),
    ),
    responses((status = 200, description = "`completions`, the likeliest first", body = Object))
)]
pub(super) async fn read_completions(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<<Completions as Question>::Answer>, Problem> {
    answer::<Completions>(&app, &auditor, query).await
}
