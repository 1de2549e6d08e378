//! The HTTP side of alerts.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::ETAG;
use axum::response::{IntoResponse, Response};
use shared::http::problem::Problem;
use url::form_urlencoded;

use super::cursor::{Cursor, Order};
use super::lifecycle::{self, AlertCase};
use super::store::{self, AlertSearch, Assigned};
use super::{AlertBody, AlertPage};
use crate::access::{Auditor, etag};
use crate::app::AppState;
use crate::detection::engine::Fingerprint;
use crate::error::ApiError;
use crate::response::{self, Kept};
use crate::search::{InvalidParameter, Parameters};

/// Alerts of a page at most, and usually.
const LIMIT_MAX: u16 = 500;
const LIMIT: u16 = 50;

/// Alerts, the last raised or the most severe first.
///
/// Those of rules that are only tried, suppressed ones and withdrawn ones are given with `all=true`.
#[utoipa::path(
    get,
    path = "/v1/alerts",
    operation_id = "listAlerts",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    params(
        ("rule" = Option<String>, Query, description = "A rule's id"),
        ("status" = Option<String>, Query, description = "`open`, `acknowledged` or `closed`"),
        ("severity" = Option<String>, Query, description = "`info`, `low`, `medium`, `high` or `critical`"),
        ("assignee" = Option<String>, Query, description = "A name, or empty for those that nobody looks after"),
        ("all" = Option<bool>, Query, description = "Also of rules that are only tried, suppressed and withdrawn ones"),
        ("order" = Option<String>, Query, description = "`time`, the last raised first, or `severity`, the most severe first and among equals the last raised"),
        ("limit" = Option<u16>, Query, description = "Alerts of a page at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "`alerts`, and `next_cursor`, which is null on the last page", body = Object))
)]
pub(super) async fn list_alerts(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<AlertPage>, Problem> {
    let query = query.unwrap_or_default();
    let search = parse(&query).map_err(|error| auditor.refuse(&error.into()))?;
    let given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let reading = async {
        let mut alerts = store::find(app.log.database(), &search).await?;
        let has_more = alerts.len() > usize::from(search.limit);
        alerts.truncate(usize::from(search.limit));
        let rows = i64::try_from(alerts.len()).unwrap_or(i64::MAX);
        let last = alerts
            .last()
            .filter(|_| has_more)
            .and_then(|last| cursor_of(last, search.order));
        let next_cursor = last.map(Cursor::seal);
        Ok((AlertPage { alerts, next_cursor }, rows))
    };
    let filter = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    auditor.record_read(&app, filter, reading).await.map(Json)
}

/// One alert, with its notes, its history and its responses; its `revision` is the `ETag`.
#[utoipa::path(
    get,
    path = "/v1/alerts/{fingerprint}",
    operation_id = "readAlert",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    params(("fingerprint" = String, Path, description = "32 hexadecimal digits")),
    responses((status = 200, description = "The alert", body = Object), (status = 404, description = "`alert_not_found`"))
)]
pub(super) async fn read_alert(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(text): Path<String>,
) -> Result<Response, Problem> {
    let fingerprint = parse_fingerprint(&text).map_err(|error| auditor.refuse(&error.into()))?;
    let alert = existing(&app, &auditor, fingerprint).await?;
    answer(&app, &auditor, alert).await
}

/// The fingerprint that a path names.
pub(crate) fn parse_fingerprint(text: &str) -> Result<Fingerprint, InvalidParameter> {
    let wrong = || InvalidParameter::new("fingerprint", "not 32 hexadecimal digits");
    Fingerprint::parse(text).ok_or_else(wrong)
}

/// Reads an alert that must be there; the read is recorded.
pub(crate) async fn existing(
    app: &AppState,
    auditor: &Auditor,
    fingerprint: Fingerprint,
) -> Result<AlertBody, Problem> {
    let reading = async {
        let alert = store::alert(app.log.database(), fingerprint).await?;
        let rows = i64::from(alert.is_some());
        Ok((alert, rows))
    };
    let text = fingerprint.to_string();
    let filter = [("fingerprint", text.as_str())].into_iter();
    let alert = auditor.record_read(app, filter, reading).await?;
    alert.ok_or_else(|| auditor.refuse(&ApiError::NoSuchAlert))
}

/// The answer that holds an alert and all that people did with it.
pub(super) async fn answer(app: &AppState, auditor: &Auditor, alert: AlertBody) -> Result<Response, Problem> {
    let failed = |error| auditor.refuse(&ApiError::from(&error));
    let fingerprint = parse_fingerprint(&alert.fingerprint).map_err(|error| auditor.refuse(&error.into()))?;
    let database = app.log.database();
    let tag = etag(alert.revision);
    let case = AlertCase {
        notes: lifecycle::notes(database, fingerprint).await.map_err(failed)?,
        history: lifecycle::history(database, fingerprint).await.map_err(failed)?,
        responses: response::of_alert(database, fingerprint)
            .await
            .map_err(failed)?
            .into_iter()
            .map(Kept::body)
            .collect(),
        alert,
    };
    Ok(([(ETAG, tag)], Json(case)).into_response())
}

fn cursor_of(alert: &AlertBody, order: Order) -> Option<Cursor> {
    Some(Cursor {
        rank: match order {
            Order::Time => None,
            Order::Severity => Some(store::rank(&alert.severity)),
        },
        raised_at: alert.raised_at,
        fingerprint: Fingerprint::parse(&alert.fingerprint)?,
    })
}

fn parse(query: &str) -> Result<AlertSearch, InvalidParameter> {
    // Without a name it is nobody.
    let mut parameters = Parameters::with_empty(query, "assignee")?;
    let assigned = |name: String| match name.as_str() {
        "" => Assigned::Nobody,
        _ => Assigned::To(name),
    };
    let mut search = AlertSearch {
        rule: parameters.take("rule"),
        status: parameters.word("status", &["open", "acknowledged", "closed"])?,
        severity: parameters.word("severity", &["info", "low", "medium", "high", "critical"])?,
        assignee: parameters.take("assignee").map(assigned),
        all: parameters.word("all", &["true", "false"])? == Some("true"),
        order: match parameters.word("order", &["time", "severity"])? {
            Some("severity") => Order::Severity,
            _ => Order::Time,
        },
        after: None,
        limit: parameters.number("limit", 1..=LIMIT_MAX)?.unwrap_or(LIMIT),
    };
    if let Some(text) = parameters.take("cursor") {
        let problem = "the cursor is damaged or belongs to another order";
        let opened = Cursor::open(&text, search.order);
        search.after = Some(opened.ok_or_else(|| InvalidParameter::new("cursor", problem))?);
    }
    parameters.end()?;
    Ok(search)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_and_what_makes_no_sense_is_named() {
        let search =
            parse("rule=log-gap&status=open&severity=high&assignee=&all=true&order=severity&limit=2")
                .unwrap();
        let expected = AlertSearch {
            rule: Some("log-gap".to_owned()),
            status: Some("open"),
            severity: Some("high"),
            assignee: Some(Assigned::Nobody),
            all: true,
            order: Order::Severity,
            after: None,
            limit: 2,
        };
        assert_eq!(search, expected);
        assert_eq!(parse("").unwrap().limit, LIMIT);
        for (wrong, name) in [
            ("rule=a&rule=b", "rule"),
            ("assignee=&assignee=alice", "assignee"),
            ("rule=", "rule"),
            ("status=lost", "status"),
            ("severity=HIGH", "severity"),
            ("all=1", "all"),
            ("order=rule", "order"),
            ("limit=501", "limit"),
            ("cursor=x", "cursor"),
            ("state=open", "state"),
        ] {
            assert_eq!(parse(wrong).unwrap_err().name, name, "{wrong}");
        }
    }
}
