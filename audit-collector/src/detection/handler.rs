//! The HTTP side of the rules.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::ETAG;
use axum::http::{HeaderName, HeaderValue};
use serde::Serialize;
use shared::database::DatabaseError;
use shared::http::problem::Problem;

use super::rule::{Rule, RuleSet, Severity, Status};
use super::standing::{self, Standing};
use crate::access::{Auditor, etag};
use crate::alert;
use crate::app::AppState;
use crate::error::ApiError;

/// The rules in force.
#[derive(Debug, Serialize)]
pub(super) struct RuleList {
    rules: Vec<RuleBody>,
}

/// A rule as readers get it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleBody {
    id: Arc<str>,
    title: String,
    description: String,
    severity: Severity,
    /// Whether it is told: as its file says, or as somebody has decided.
    status: Status,
    file_status: Status,
    #[serde(flatten)]
    standing: Standing,
    falsepositives: Vec<String>,
    references: Vec<String>,
    tags: Vec<String>,
    version: String,
    file: String,
    group_by: Vec<String>,
    firings: Firings,
    /// Its text; only of a single rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    source: Option<String>,
}

/// How often it has fired, and how its closed alerts were judged.
#[derive(Clone, Copy, Debug, Default, Serialize)]
struct Firings {
    alerts: i64,
    r#true: i64,
    r#false: i64,
    benign: i64,
    /// The share of the true ones among those that were judged true or false; null as long as none was.
    precision: Option<f64>,
}

/// A rule with its revision.
pub(super) type Versioned = ([(HeaderName, HeaderValue); 1], Json<RuleBody>);

impl RuleBody {
    pub(super) fn versioned(self) -> Versioned {
        ([(ETAG, etag(self.standing.revision))], Json(self))
    }
}

impl Firings {
    fn of((alerts, r#true, r#false, benign): (i64, i64, i64, i64)) -> Self {
        // Counts of what people judged by hand are far below 2^32.
        let number = |count: i64| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
        let judged = r#true + r#false;
        Self {
            alerts,
            r#true,
            r#false,
            benign,
            precision: (judged > 0).then(|| number(r#true) / number(judged)),
        }
    }
}

/// The rules in force, and how often each has fired.
#[utoipa::path(
    get,
    path = "/v1/rules",
    operation_id = "listRules",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`rules`, by id", body = Object))
)]
pub(super) async fn list_rules(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<RuleList>, Problem> {
    let reading = async {
        let rules = with_firings(&app, None).await?;
        let rows = i64::try_from(rules.len()).unwrap_or(i64::MAX);
        Ok((RuleList { rules }, rows))
    };
    let filter = [("read", "rules")].into_iter();
    auditor.record_read(&app, filter, reading).await.map(Json)
}

/// A rule with its text.
#[utoipa::path(
    get,
    path = "/v1/rules/{id}",
    operation_id = "readRule",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "The rule's id")),
    responses((status = 200, description = "The rule; `ETag` names its revision", body = Object), (status = 404, description = "`rule_not_found`"))
)]
pub(super) async fn read_rule(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
) -> Result<Versioned, Problem> {
    let reading = async {
        let rules = with_firings(&app, Some(&id)).await?;
        let rows = i64::try_from(rules.len()).unwrap_or(i64::MAX);
        Ok((rules.into_iter().next(), rows))
    };
    let rule = auditor
        .record_read(&app, [("rule", id.as_str())].into_iter(), reading)
        .await?;
    rule.map(RuleBody::versioned)
        .ok_or_else(|| auditor.refuse(&ApiError::NoSuchRule))
}

pub(super) async fn with_firings(app: &AppState, only: Option<&str>) -> Result<Vec<RuleBody>, DatabaseError> {
    let rules: RuleSet = app.rules.borrow().clone();
    let rows = alert::firings(app.log.database()).await?;
    let standings = standing::store::all(app.log.database()).await?;
    let of = |(rule, alerts, r#true, r#false, benign)| (rule, Firings::of((alerts, r#true, r#false, benign)));
    let firings: HashMap<String, Firings> = rows.into_iter().map(of).collect();
    let wanted = rules
        .rules()
        .iter()
        .filter(|rule| only.is_none_or(|id| *rule.id == *id));
    Ok(wanted
        .map(|rule| {
            body(
                rule,
                firings.get(&*rule.id).copied().unwrap_or_default(),
                standings.get(&*rule.id).cloned().unwrap_or_default(),
                only.is_some(),
            )
        })
        .collect())
}

fn body(rule: &Rule, firings: Firings, standing: Standing, with_source: bool) -> RuleBody {
    RuleBody {
        id: Arc::clone(&rule.id),
        title: rule.title.clone(),
        description: rule.description.clone(),
        severity: rule.severity,
        status: standing.status(rule),
        file_status: rule.status,
        standing,
        falsepositives: rule.falsepositives.clone(),
        references: rule.references.clone(),
        tags: rule.tags.clone(),
        version: rule.version.clone(),
        file: rule.file.clone(),
        group_by: rule.group_names(),
        firings,
        source: with_source.then(|| rule.source.clone()),
    }
}
