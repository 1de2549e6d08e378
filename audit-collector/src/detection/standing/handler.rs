//! The HTTP side of decisions about rules.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::json;
use shared::database::DatabaseError;
use shared::event::{Outcome, action};
use shared::http::problem::Problem;

use super::{Standing, store};
use crate::access::scope::RulesWrite;
use crate::access::{IfMatch, JsonBody, Permitted};
use crate::app::AppState;
use crate::detection::handler::{Versioned, with_firings};
use crate::error::ApiError;

/// What is decided.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::detection) struct Decision {
    /// Null is as the file says. Absent is a mistake: nothing else can be decided.
    #[serde(deserialize_with = "Option::deserialize")]
    shadow: Option<bool>,
}

/// Decides whether a rule is told, whatever its file says.
///
/// What a shadow finds is kept, told to nobody and orders nothing. It holds for every collector from the next finding on, and
/// stays when the files change; `null` goes back to what the file says. What was found before stays as it was.
#[utoipa::path(
    patch,
    path = "/v1/rules/{id}",
    operation_id = "changeRule",
    tag = "detection",
    security(("bearer" = ["rules:write"])),
    params(("id" = String, Path, description = "The rule's id"), ("If-Match" = String, Header, description = "The `ETag` that was seen")),
    request_body(content = Object, description = "`shadow`: true, false, or null"),
    responses(
        (status = 200, description = "The rule; `ETag` names its revision", body = Object),
        (status = 404, description = "`rule_not_found`"),
        (status = 412, description = "`precondition_failed`: somebody changed it meanwhile"),
        (status = 428, description = "`precondition_required`")
    )
)]
pub(in crate::detection) async fn change_rule(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<RulesWrite>,
    Path(id): Path<String>,
    seen: IfMatch,
    JsonBody(decision): JsonBody<Decision>,
) -> Result<Versioned, Problem> {
    let failed = |error: DatabaseError| {
        tracing::error!(%error, "a rule could not be changed");
        auditor.refuse(&ApiError::LogUnavailable)
    };
    let rule = app.rules.borrow().find(&id).cloned();
    let rule = rule.ok_or_else(|| auditor.refuse(&ApiError::NoSuchRule))?;
    let mut tx = app.log.database().write().await.map_err(failed)?;
    let before = store::all_within(&mut tx).await.map_err(failed)?;
    let before = before.get(&id).cloned().unwrap_or_default();
    seen.check(before.revision)
        .map_err(|error| auditor.refuse(&error))?;
    let after = Standing {
        shadow: decision.shadow,
        revision: before.revision.saturating_add(1),
        changed_by: Some(auditor.subject().to_owned()),
        changed_at: Some(app.clock.now()),
    };
    let kept = store::keep(&mut tx, &id, &after, before.revision).await;
    if !kept.map_err(failed)? {
        return Err(auditor.refuse(&ApiError::PreconditionFailed));
    }
    let told = |standing: &Standing| json!({ "shadow": standing.shadow, "status": standing.status(&rule) });
    let facts = auditor.facts_of(&app, action::RULE_CHANGED, (Outcome::Success, StatusCode::OK));
    let facts = facts
        .with_detail("rule", id.as_str())
        .with_detail("before", told(&before))
        .with_detail("after", told(&after));
    auditor.append(&app, facts).await?;
    tx.commit().await.map_err(failed)?;
    let rules = with_firings(&app, Some(&id)).await.map_err(failed)?;
    let changed = rules.into_iter().next();
    let changed = changed.ok_or_else(|| auditor.refuse(&ApiError::NoSuchRule))?;
    Ok(changed.versioned())
}
