//! The HTTP side of retention.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::clock::UtcMicros;
use shared::database::DatabaseError;
use shared::event::Class;
use shared::http::problem::Problem;
use uuid::Uuid;

use super::change::{self, Change};
use super::{Periods, store};
use crate::access::Auditor;
use crate::app::AppState;

/// For how long events are kept.
#[derive(Serialize)]
pub(super) struct RetentionBody {
    classes: Vec<ClassBody>,
    /// What waits for another person.
    changes: Vec<Change>,
    /// When events were last removed.
    last_run: Option<LastRun>,
}

#[derive(Serialize)]
struct ClassBody {
    class: Class,
    /// The days in force.
    days: u32,
    /// The days that the settings ask for.
    configured_days: u32,
}

#[derive(Serialize)]
struct LastRun {
    at: UtcMicros,
    /// The event that tells what it did.
    event: Uuid,
}

/// For how long each class is kept, and what changes wait for another person.
#[utoipa::path(
    get,
    path = "/v1/retention",
    operation_id = "readRetention",
    tag = "log",
    security(("bearer" = ["audit:read"])),
    responses((status = 200, description = "`classes`, `changes` and `last_run`", body = Object))
)]
pub(super) async fn read_retention(
    State(app): State<AppState>,
    auditor: Auditor,
) -> Result<Json<RetentionBody>, Problem> {
    let reading = async { Ok((retention(&app).await?, 0)) };
    let body = auditor
        .record_read(&app, [("retention", "all")].into_iter(), reading)
        .await?;
    Ok(Json(body))
}

async fn retention(app: &AppState) -> Result<RetentionBody, DatabaseError> {
    let database = app.log.database();
    let days = store::all_days(database).await?;
    let in_force = |class: Class| {
        let row = days.iter().find(|(name, _)| name == class.as_str());
        row.and_then(|(_, days)| u32::try_from(*days).ok())
    };
    let configured: &Periods = &app.periods;
    let classes = configured.iter().map(|keeping| ClassBody {
        class: keeping.class,
        days: in_force(keeping.class).unwrap_or(keeping.days),
        configured_days: keeping.days,
    });
    let last_run = store::last_run(database).await?;
    let now = app.clock.now();
    let open = change::store::open(database).await?;
    Ok(RetentionBody {
        classes: classes.collect(),
        changes: open
            .into_iter()
            .filter(|change| !change.has_lapsed(now))
            .collect(),
        last_run: last_run.map(|(at, event)| LastRun { at, event }),
    })
}
