//! The HTTP side of forwarding.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::clock::UtcMicros;
use shared::database::DatabaseError;
use shared::http::problem::Problem;

use super::store;
use crate::access::Auditor;
use crate::app::AppState;

/// How receivers stand.
#[derive(Serialize)]
pub(super) struct ForwardingBody {
    receivers: Vec<ReceiverBody>,
}

#[derive(Serialize)]
struct ReceiverBody {
    name: String,
    /// The first position that it was not sent.
    position: i64,
    /// Positions of the log that it was not sent.
    lag: i64,
    /// Events that it was sent.
    sent: i64,
    last_sent_at: Option<UtcMicros>,
    /// Since when it takes nothing; null if it does.
    failing_since: Option<UtcMicros>,
    last_error: Option<String>,
}

/// How each receiver of forwarded events stands.
#[utoipa::path(
    get,
    path = "/v1/forwarding",
    operation_id = "readForwarding",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`receivers` with `position`, `lag`, `sent` and what fails", body = Object))
)]
pub(super) async fn read_forwarding(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<ForwardingBody>, Problem> {
    let reading = async { Ok((receivers(&app).await?, 0)) };
    let receivers = auditor
        .record_read(&app, [("forwarding", "all")].into_iter(), reading)
        .await?;
    Ok(Json(ForwardingBody { receivers }))
}

async fn receivers(app: &AppState) -> Result<Vec<ReceiverBody>, DatabaseError> {
    let size = app.log.size().await?.cast_signed();
    let standings = store::all(app.log.database()).await?;
    let bodies = standings.into_iter().map(|standing| ReceiverBody {
        lag: (size - standing.position).max(0),
        name: standing.name,
        position: standing.position,
        sent: standing.sent,
        last_sent_at: standing.last_sent_at.map(UtcMicros::from_micros),
        failing_since: standing.failing_since.map(UtcMicros::from_micros),
        last_error: standing.last_error,
    });
    Ok(bodies.collect())
}
