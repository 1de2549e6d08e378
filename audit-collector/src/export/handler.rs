//! The HTTP side of exports.

use std::io;

use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::stream;
use shared::event::{Draft, Outcome, action};
use shared::http::problem::Problem;
use tokio::sync::{OwnedSemaphorePermit, mpsc};

use super::{Export, ExportError, ExportFormat};
use crate::access::scope::AuditExport;
use crate::access::{Auditor, Permitted};
use crate::app::AppState;
use crate::error::ApiError;
use crate::search::{Filter, InvalidParameter, Parameters};

/// Pieces of a file that wait for a slow reader.
const AHEAD: usize = 2;

/// The id of the export, which is also that of the event with its manifest.
const EXPORT_ID: HeaderName = HeaderName::from_static("gatelog-export-id");

/// The log as a file.
///
/// Events that meet the filter, the latest first. The file is made as it is read. When it is complete, the event `log_exported` with
/// the id in the header `gatelog-export-id` has its manifest: range, count, size and SHA-256. A file that breaks off is not
/// complete, and its event says so.
#[utoipa::path(
    get,
    path = "/v1/export",
    operation_id = "exportEvents",
    tag = "log",
    security(("bearer" = ["audit:export"])),
    params(
        ("format" = String, Query, description = "`ndjson`, `csv`, `parquet`, `ocsf` (1.8) or `ecs`"),
        ("q" = Option<String>, Query, description = "A filter (docs/search.md), and every parameter of `/v1/events` but `limit` and `cursor`"),
        ("from" = Option<String>, Query, description = "The first moment (RFC 3339)"),
        ("to" = Option<String>, Query, description = "The first moment after"),
    ),
    responses(
        (status = 200, description = "The file", body = String, content_type = "application/x-ndjson"),
        (status = 503, description = "`too_many_exports`")
    )
)]
pub(super) async fn export_events(
    State(app): State<AppState>,
    permitted: Permitted<AuditExport>,
    RawQuery(query): RawQuery,
) -> Result<Response, Problem> {
    let auditor = permitted.auditor;
    let (format, filter, parameters) =
        wish(&query.unwrap_or_default(), &app).map_err(|error| auditor.refuse(&error.into()))?;
    let Some(place) = app.exports.take() else {
        return Err(auditor.refuse(&ApiError::TooManyExports));
    };
    // Recorded before the first byte leaves; how many events were taken is told by another event at its end.
    let beginning = async {
        match Export::begin(app.log.clone(), filter, format, app.clock.now()).await {
            Ok(export) => Ok((Ok(export), 0)),
            Err(ExportError::Database(error)) => Err(error),
            Err(error) => Ok((Err(error), 0)),
        }
    };
    let export = auditor.record_read(&app, parameters.given(), beginning).await?;
    let export = export.map_err(|error| {
        tracing::error!(%error, "an export cannot be begun");
        auditor.refuse(&ApiError::LogUnavailable)
    })?;
    let id = export.manifest().export.to_string();
    let (pieces, taken) = mpsc::channel(AHEAD);
    tokio::spawn(send(app, auditor, export, pieces, place));
    let name = format!("attachment; filename=\"gatelog-{id}.{}\"", format.extension());
    let headers = [
        (CONTENT_TYPE, format.content_type().to_owned()),
        (CONTENT_DISPOSITION, name),
        (EXPORT_ID, id),
    ];
    let body = stream::unfold(taken, |mut taken| async { Some((taken.recv().await?, taken)) });
    Ok((headers, Body::from_stream(body)).into_response())
}

fn wish(query: &str, app: &AppState) -> Result<(ExportFormat, Filter, Parameters), InvalidParameter> {
    let mut parameters = Parameters::parse(query)?;
    let given = parameters.clone();
    let format = parameters
        .take("format")
        .ok_or_else(|| InvalidParameter::new("format", "missing"))?;
    let format = format
        .parse()
        .map_err(|problem: &str| InvalidParameter::new("format", problem))?;
    Ok((format, parameters.filter(app.clock.now())?, given))
}

/// Makes the file as its reader takes it, and records what was taken.
///
/// The record is written before the last piece is given out: no reader has the whole of a file that was not recorded. Whoever may
/// not read any more gets no more.
async fn send(
    app: AppState,
    auditor: Auditor,
    mut export: Export,
    pieces: mpsc::Sender<Result<Bytes, io::Error>>,
    _place: OwnedSemaphorePermit,
) {
    let broken = loop {
        let objection = auditor
            .admitted()
            .and_then(|admitted| app.guard.objection(&admitted));
        if let Some(objection) = objection {
            break objection.refusal.code();
        }
        match export.next().await {
            Ok(Some(bytes)) if export.manifest().complete => {
                if record(&app, &auditor, &export, None).await {
                    drop(pieces.send(Ok(bytes)).await);
                    return;
                }
                break ApiError::NotRecorded.code();
            }
            Ok(Some(bytes)) if bytes.is_empty() => {}
            Ok(Some(bytes)) => {
                if pieces.send(Ok(bytes)).await.is_err() {
                    break "reader_gone";
                }
            }
            Ok(None) => return,
            Err(error) => {
                tracing::error!(%error, "an export was broken off");
                break "log_unavailable";
            }
        }
    };
    record(&app, &auditor, &export, Some(broken)).await;
    // A body that ends by an error has no proper end, so that its reader notices.
    drop(
        pieces
            .send(Err(io::Error::other("the export was broken off")))
            .await,
    );
}

async fn record(app: &AppState, auditor: &Auditor, export: &Export, broken: Option<&str>) -> bool {
    let outcome = if broken.is_some() {
        Outcome::Error
    } else {
        Outcome::Success
    };
    let mut facts = auditor.facts_of(app, action::LOG_EXPORTED, (outcome, StatusCode::OK));
    facts.reason = broken.map(str::to_owned);
    facts.detail = export.manifest().detail();
    let draft = Draft {
        id: export.manifest().export,
        time: app.clock.now(),
        facts,
    };
    let recorded = app.spool.append(draft).await;
    if let Err(error) = &recorded {
        tracing::error!(%error, "an export could not be recorded");
    }
    recorded.is_ok()
}
