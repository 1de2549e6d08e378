//! The HTTP side of responses.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State as AxumState};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::json;
use shared::clock::UtcMicros;
use shared::event::{Actor, Outcome, action};
use shared::http::problem::Problem;
use uuid::Uuid;

use super::Responding;
use super::kept::{Given, State};
use super::meant::meant;
use super::order::{Action, Order};
use super::run::LIMIT_SPAN;
use super::store::{self, Counted};
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, JsonBody, Permitted, check_text};
use crate::alert::{AlertBody, existing, parse_fingerprint};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// Orders that people may give in an hour, all together: somebody who orders more has a script, or is not who it seems.
const PEOPLE_MAX: i64 = 200;

/// The longest reason, in bytes.
const REASON_BYTES_MAX: usize = 128;

/// An order as a person gives it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewOrder {
    action: Action,
    /// Whom or what it is about; the alert's group says so if it is absent.
    value: Option<String>,
    /// For how long.
    seconds: Option<u64>,
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// Orders something about an alert: that a session or a token is revoked, an account locked, an address or a subject kept out, or that a user signs in again.
///
/// With `dry_run` it is only said whether it would be ordered. What becomes of an order stands in the alert's `responses`.
#[utoipa::path(
    post,
    path = "/v1/alerts/{fingerprint}/responses",
    operation_id = "orderResponse",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    params(("fingerprint" = String, Path, description = "32 hexadecimal digits")),
    request_body(content = Object, description = "`action` (`revoke_session`, `revoke_token`, `lock_account`, `block_address`, \
        `block_subject`, `require_step_up`), `value` (that of the alert's group if absent), `seconds` (60 to 2592000; 3600 if absent), `reason`, `dry_run`"),
    responses(
        (status = 200, description = "With `dry_run`: what would be ordered", body = Object),
        (status = 202, description = "It is ordered; `state` is `pending`", body = Object),
        (status = 404, description = "`alert_not_found`"),
        (status = 409, description = "`response_spared`, `response_address_unknown`, `would_respond_to_yourself`, `responses_off`"),
        (status = 429, description = "`response_limit`: people order 200 in an hour at most; `Retry-After` says when there is room again. A `dry_run` is not counted"),
    )
)]
pub(super) async fn order_response(
    AxumState(app): AxumState<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(text): Path<String>,
    JsonBody(new): JsonBody<NewOrder>,
) -> Result<Response, Problem> {
    let fingerprint = parse_fingerprint(&text).map_err(|error| auditor.refuse(&error.into()))?;
    let refuse = |error: &ApiError| auditor.refuse(error);
    let responding = app.responding.as_ref();
    let responding = responding.ok_or_else(|| refuse(&ApiError::ResponsesOff))?;
    let alert = existing(&app, &auditor, fingerprint).await?;
    let failed = |error| refuse(&ApiError::from(&error));
    let order = ordered(&new, &alert).map_err(|error| refuse(&error))?;
    let meant = meant(&app.log, &order, &alert.evidence).await.map_err(failed)?;
    let meant = meant.ok_or_else(|| refuse(&ApiError::ResponseAddressUnknown))?;
    objection(responding, &auditor, &meant).map_err(|error| refuse(&error))?;
    let now = app.clock.now();
    let given = Given {
        fingerprint,
        rule: alert.rule,
        fired_at: alert.fired_at,
        order,
        reason: new.reason,
        author: auditor.name().to_owned(),
        by_rule: false,
    };
    let kept = given.at(now);
    let database = app.log.database();
    let mut tx = database.write().await.map_err(failed)?;
    let status = if new.dry_run {
        StatusCode::OK
    } else {
        let counted = store::count_since(&mut tx, false, now.minus(LIMIT_SPAN)).await;
        room(&counted.map_err(failed)?, now).map_err(|error| refuse(&error))?;
        StatusCode::ACCEPTED
    };
    let facts = auditor
        .facts_of(&app, action::RESPONSE_ORDERED, (Outcome::Success, status))
        .with_detail("dry_run", new.dry_run);
    if !new.dry_run {
        store::add(&mut tx, &kept).await.map_err(failed)?;
    }
    auditor.append(&app, kept.told(facts, None)).await?;
    database.commit(tx).await.map_err(failed)?;
    if new.dry_run {
        let seconds = kept.order.lifetime.map(|lifetime| lifetime.as_secs());
        let body = json!({ "dry_run": true, "action": kept.order.action, "value": kept.order.value, "seconds": seconds });
        return Ok((status, Json(body)).into_response());
    }
    responding.ordered.notify_one();
    Ok((status, Json(kept.body())).into_response())
}

/// Undoes a response that is in force. A session that was revoked has ended for good.
#[utoipa::path(
    delete,
    path = "/v1/alerts/{fingerprint}/responses/{id}",
    operation_id = "undoResponse",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    params(
        ("fingerprint" = String, Path, description = "32 hexadecimal digits"),
        ("id" = String, Path, description = "A UUID"),
    ),
    responses(
        (status = 202, description = "It is being undone; `state` is `lifting`", body = Object),
        (status = 404, description = "`alert_not_found`, `response_not_found`"),
        (status = 409, description = "`response_not_in_force`, `response_final`, `responses_off`"),
    )
)]
pub(super) async fn undo_response(
    AxumState(app): AxumState<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path((text, id)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let fingerprint = parse_fingerprint(&text).map_err(|error| auditor.refuse(&error.into()))?;
    let refuse = |error: &ApiError| auditor.refuse(error);
    let responding = app.responding.as_ref();
    let responding = responding.ok_or_else(|| refuse(&ApiError::ResponsesOff))?;
    let id = Uuid::try_parse(&id).map_err(|_| refuse(&InvalidParameter::new("id", "not a UUID").into()))?;
    existing(&app, &auditor, fingerprint).await?;
    let failed = |error| refuse(&ApiError::from(&error));
    let database = app.log.database();
    let all = store::of_alert(database, fingerprint).await.map_err(failed)?;
    let found = all.into_iter().find(|kept| kept.id == id);
    let mut kept = found.ok_or_else(|| refuse(&ApiError::NoSuchResponse))?;
    if !kept.order.action.is_lasting() {
        return Err(refuse(&ApiError::ResponseFinal));
    }
    let before = kept.state;
    if before != State::InForce {
        return Err(refuse(&ApiError::ResponseNotInForce));
    }
    kept.state = State::Lifting;
    kept.attempts = 0;
    kept.next_at = app.clock.now();
    kept.ended_by = Some(auditor.name().to_owned());
    let mut tx = database.write().await.map_err(failed)?;
    if !store::note(&mut tx, &kept, before).await.map_err(failed)? {
        return Err(refuse(&ApiError::ResponseNotInForce));
    }
    let status = StatusCode::ACCEPTED;
    let facts = auditor.facts_of(&app, action::RESPONSE_UNDONE, (Outcome::Success, status));
    auditor.append(&app, kept.told(facts, Some(before))).await?;
    database.commit(tx).await.map_err(failed)?;
    responding.ordered.notify_one();
    Ok((status, Json(kept.body())).into_response())
}

fn ordered(new: &NewOrder, alert: &AlertBody) -> Result<Order, ApiError> {
    check_text("a reason", &new.reason, REASON_BYTES_MAX)?;
    let of_group = || alert.group.get(new.action.field())?.as_str();
    let value = new.value.as_deref().or_else(of_group).ok_or_else(|| {
        let field = new.action.field();
        ApiError::BodyInvalid(format!(
            "the alert's group has no {field}: name the `value` that is meant"
        ))
    })?;
    let lifetime = new.seconds.map(Duration::from_secs);
    Order::new(new.action, value, lifetime).map_err(|error| ApiError::BodyInvalid(error.to_string()))
}

/// Refuses one more order than people may give.
fn room(counted: &Counted, now: UtcMicros) -> Result<(), ApiError> {
    if counted.count < PEOPLE_MAX {
        return Ok(());
    }
    // There is room as soon as the first of them does not count any more.
    let wait = counted
        .first
        .map_or(LIMIT_SPAN, |first| first.plus(LIMIT_SPAN).since(now));
    let retry_after = u32::try_from(wait.as_secs())
        .unwrap_or(u32::MAX)
        .saturating_add(1);
    Err(ApiError::ResponseLimit { retry_after })
}

fn objection(responding: &Responding, auditor: &Auditor, order: &Order) -> Result<(), ApiError> {
    if responding.spared.covers(order) {
        return Err(ApiError::ResponseSpared);
    }
    let Actor { sub, sid, jti, .. } = auditor.actor();
    let own = match order.action {
        Action::RevokeSession => sid.as_deref(),
        Action::RevokeToken => jti.as_deref(),
        Action::LockAccount | Action::BlockSubject | Action::RequireStepUp => sub.as_deref(),
        Action::BlockAddress => auditor.address(),
    };
    // Whoever keeps itself out could not undo it.
    if own == Some(order.value.as_str()) {
        return Err(ApiError::ResponseToYourself);
    }
    Ok(())
}
