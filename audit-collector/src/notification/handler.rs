//! The HTTP side of notifications.

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::event::{Outcome, action, event_id};
use shared::http::problem::Problem;
use url::form_urlencoded;
use uuid::Uuid;

use super::body::{DeliveryBody, NotificationPage, Search, seal};
use super::notice::Notice;
use super::store;
use crate::access::scope::AuditRespond;
use crate::access::{Auditor, JsonBody, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::InvalidParameter;

/// Messages about alerts and what became of them, the last made first.
#[utoipa::path(
    get,
    path = "/v1/notifications",
    operation_id = "listNotifications",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    params(
        ("alert" = Option<String>, Query, description = "An alert's fingerprint"),
        ("receiver" = Option<String>, Query, description = "A receiver's name in the settings"),
        ("state" = Option<String>, Query, description = "`pending`, `delivered` or `failed`"),
        ("limit" = Option<u16>, Query, description = "Messages of a page at most"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses((status = 200, description = "`notifications`, and `next_cursor`, which is null on the last page", body = Object))
)]
pub(super) async fn list_notifications(
    State(app): State<AppState>,
    auditor: Auditor,
    RawQuery(query): RawQuery,
) -> Result<Json<NotificationPage>, Problem> {
    let query = query.unwrap_or_default();
    let search = Search::parse(&query).map_err(|error| auditor.refuse(&error.into()))?;
    let given: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let reading = async {
        let mut notifications = store::find(app.log.database(), &search).await?;
        let has_more = notifications.len() > usize::from(search.limit);
        notifications.truncate(usize::from(search.limit));
        let rows = i64::try_from(notifications.len()).unwrap_or(i64::MAX);
        let last = notifications.last().filter(|_| has_more);
        let next_cursor = last.map(|last| seal(last.id));
        let page = NotificationPage {
            notifications,
            next_cursor,
        };
        Ok((page, rows))
    };
    let filter = given.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    auditor.record_read(&app, filter, reading).await.map(Json)
}

/// One of them, with the log of its delivery: every try, what the receiver answered, and why it did not arrive.
#[utoipa::path(
    get,
    path = "/v1/notifications/{id}",
    operation_id = "readNotification",
    tag = "detection",
    security(("bearer" = ["audit:read"])),
    params(("id" = String, Path, description = "A UUID")),
    responses((status = 200, description = "The message with its `log`", body = Object), (status = 404, description = "`notification_not_found`"))
)]
pub(super) async fn read_notification(
    State(app): State<AppState>,
    auditor: Auditor,
    Path(id): Path<String>,
) -> Result<Json<DeliveryBody>, Problem> {
    let id = parse_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    existing(&app, &auditor, id).await.map(Json)
}

/// Has a message that has failed sent again, under the same id.
#[utoipa::path(
    post,
    path = "/v1/notifications/{id}/retry",
    operation_id = "retryNotification",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    params(("id" = String, Path, description = "A UUID")),
    responses(
        (status = 202, description = "It is tried again; `state` is `pending`", body = Object),
        (status = 404, description = "`notification_not_found`"),
        (status = 409, description = "`notification_not_failed`"),
    )
)]
pub(super) async fn retry_notification(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<DeliveryBody>), Problem> {
    let id = parse_id(&id).map_err(|error| auditor.refuse(&error.into()))?;
    let before = existing(&app, &auditor, id).await?.notification;
    let failed = |error| auditor.refuse(&ApiError::from(&error));
    let database = app.log.database();
    let mut tx = database.write().await.map_err(failed)?;
    if !store::retry(&mut tx, id, app.clock.now()).await.map_err(failed)? {
        return Err(auditor.refuse(&ApiError::NotificationNotFailed));
    }
    let status = StatusCode::ACCEPTED;
    let facts = auditor
        .facts_of(&app, action::NOTIFICATION_RETRIED, (Outcome::Success, status))
        .with_detail("notification", id.to_string())
        .with_detail("fingerprint", before.alert)
        .with_detail("receiver", before.receiver)
        .with_detail("before", before.state)
        .with_detail("after", "pending");
    auditor.append(&app, facts).await?;
    database.commit(tx).await.map_err(failed)?;
    app.notifying.queued.notify_one();
    let after = read(&app, id).await.map_err(failed)?;
    let after = after.ok_or_else(|| auditor.refuse(&ApiError::NoSuchNotification))?;
    Ok((status, Json(after)))
}

/// Whom a test message is for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Test {
    receiver: String,
}

/// What came of it.
#[derive(Debug, Serialize)]
pub(super) struct Tested {
    delivered: bool,
    status: Option<u16>,
    problem: Option<String>,
}

/// Sends a receiver a message about nothing, at once and once, and says what came of it.
#[utoipa::path(
    post,
    path = "/v1/notifications/test",
    operation_id = "testNotification",
    tag = "detection",
    security(("bearer" = ["audit:respond"])),
    request_body(content = Object, description = "`receiver`, a name in the settings"),
    responses(
        (status = 200, description = "`delivered`, and the receiver's `status` or the `problem`", body = Object),
        (status = 404, description = "`receiver_not_found`"),
    )
)]
pub(super) async fn test_notification(
    State(app): State<AppState>,
    Permitted { auditor, .. }: Permitted<AuditRespond>,
    JsonBody(test): JsonBody<Test>,
) -> Result<Json<Tested>, Problem> {
    let courier = &app.notifying.courier;
    let receiver = courier.find(&test.receiver);
    let receiver = receiver.ok_or_else(|| auditor.refuse(&ApiError::NoSuchReceiver))?;
    let now = app.clock.now();
    let notice = Notice::test(event_id(now), now, &courier.public_url);
    // Told before it is sent: nothing leaves that is not in the log.
    let facts = auditor
        .facts_of(
            &app,
            action::NOTIFICATION_TESTED,
            (Outcome::Success, StatusCode::OK),
        )
        .with_detail("notification", notice.id.to_string())
        .with_detail("receiver", receiver.name.as_str());
    auditor.append(&app, facts).await?;
    let attempt = courier.carry(receiver, &notice).await;
    Ok(Json(Tested {
        delivered: attempt.problem().is_none(),
        status: attempt.status,
        problem: attempt.problem().map(str::to_owned),
    }))
}

fn parse_id(text: &str) -> Result<Uuid, InvalidParameter> {
    Uuid::try_parse(text).map_err(|_| InvalidParameter::new("id", "not a UUID"))
}

/// Reads a message that must be there; the read is recorded.
async fn existing(app: &AppState, auditor: &Auditor, id: Uuid) -> Result<DeliveryBody, Problem> {
    let reading = async {
        let delivery = read(app, id).await?;
        let rows = i64::from(delivery.is_some());
        Ok((delivery, rows))
    };
    let text = id.to_string();
    let filter = [("notification", text.as_str())].into_iter();
    let delivery = auditor.record_read(app, filter, reading).await?;
    delivery.ok_or_else(|| auditor.refuse(&ApiError::NoSuchNotification))
}

async fn read(app: &AppState, id: Uuid) -> Result<Option<DeliveryBody>, shared::database::DatabaseError> {
    let database = app.log.database();
    let Some(notification) = store::one(database, id).await? else {
        return Ok(None);
    };
    let log = store::attempts(database, id).await?;
    Ok(Some(DeliveryBody { notification, log }))
}
