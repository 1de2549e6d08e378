//! The HTTP side of backtests.

use std::time::Instant;

use axum::Json;
use axum::extract::{Path, State};
use serde::Deserialize;
use shared::clock::UtcMicros;
use shared::http::problem::Problem;

use super::{Backtest, EVENTS_MAX, TIME_MAX};
use crate::access::scope::RulesWrite;
use crate::access::{JsonBody, Permitted};
use crate::app::AppState;
use crate::detection::past::{Span, replay_while};
use crate::detection::rule::RuleSet;
use crate::error::ApiError;
use crate::search::InvalidParameter;
use crate::statistics::Buckets;

/// The period.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::detection) struct Period {
    from: UtcMicros,
    to: UtcMicros,
}

/// What a rule would have found in a period.
///
/// The rule in force is tried on the stored events, and nothing is stored or told. At most two million events are read, in 15
/// seconds; the answer says how far that went (`complete`, `judged_until`). One backtest is made at a time.
#[utoipa::path(
    post,
    path = "/v1/rules/{id}/backtest",
    operation_id = "backtestRule",
    tag = "detection",
    security(("bearer" = ["rules:write"])),
    params(("id" = String, Path, description = "The rule's id")),
    request_body(content = Object, description = "`from` and `to` (RFC 3339): the first moment, and the first moment after"),
    responses(
        (status = 200, description = "`events` read, `alerts` in all, `counts` per stretch, and the latest 100 `findings`", body = Object),
        (status = 404, description = "`rule_not_found`"),
        (status = 503, description = "`too_many_backtests`")
    )
)]
pub(in crate::detection) async fn backtest_rule(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<RulesWrite>,
    Path(id): Path<String>,
    JsonBody(Period { from, to }): JsonBody<Period>,
) -> Result<Json<Backtest>, Problem> {
    let span = Span { from, until: to };
    if from >= to {
        let error = InvalidParameter::new("to", "not after `from`");
        return Err(auditor.refuse(&error.into()));
    }
    let buckets = Buckets::of((from, to)).map_err(|error| auditor.refuse(&error.into()))?;
    let rule = app.rules.borrow().find(&id).cloned();
    let rule = rule.ok_or_else(|| auditor.refuse(&ApiError::NoSuchRule))?;
    let Some(_turn) = app.backtests.take() else {
        return Err(auditor.refuse(&ApiError::TooManyBacktests));
    };
    let rules = RuleSet::of(vec![rule]);
    let begun = Instant::now();
    let goes_on = |events| events < EVENTS_MAX && begun.elapsed() < TIME_MAX;
    let reading = async {
        let replaying = replay_while(&app.log, &rules, span, goes_on);
        let (replay, reach) = replaying.await?;
        let found = replay.end(reach.until).into_values();
        let answer = Backtest::of(span, &buckets, reach, found);
        let rows = i64::try_from(reach.events).unwrap_or(i64::MAX);
        Ok((answer, rows))
    };
    let period = [from.to_string(), to.to_string()];
    let filter = [
        ("backtest", id.as_str()),
        ("from", period[0].as_str()),
        ("to", period[1].as_str()),
    ];
    auditor
        .record_read(&app, filter.into_iter(), reading)
        .await
        .map(Json)
}
