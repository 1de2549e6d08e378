//! Takes a report.

use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::response::IntoResponse as _;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Serialize;
use shared::event::Reporter;
use shared::http::problem::Problem;
use shared::spool::{Spool, SpoolError};
use shared::token::Verified;
use utoipa::ToSchema;

use super::batch::Batch;
use super::entry::EntryFault;
use super::refusal::{body_incomplete, body_too_large, cannot_keep, nothing_taken, unsupported_media_type};
use crate::gate::{Answer, BodyMeter};

/// The largest report, in bytes: a hundred entries of more than usual size. The door's own bound counts as well.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// How long a report may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// What became of a report.
#[derive(Serialize, ToSchema)]
struct Taken {
    /// How many entries are kept.
    taken: usize,
    /// What is wrong with the others.
    refused: Vec<RefusedEntry>,
}

#[derive(Serialize, ToSchema)]
struct RefusedEntry {
    index: usize,
    code: &'static str,
    detail: String,
}

/// Takes a report of `caller`: every good entry of it, before the answer leaves, or none.
#[utoipa::path(
    post,
    path = "/v1/intake",
    operation_id = "report",
    tag = "services",
    security(("bearer" = ["audit:write"])),
    request_body(content = Object, description = "One entry or a list of up to 100 (`api-service/README.md`)"),
    responses(
        (status = 202, description = "What was taken, and why the rest was not", body = Taken),
        (status = 422, description = "No entry is good: `report_refused`"),
        (status = 503, description = "Reports cannot be kept at the moment; to send the same again is right in any case")
    )
)]
pub(crate) async fn take(
    spool: &Spool,
    caller: &Verified,
    headers: &HeaderMap,
    body: Body,
    meter: &BodyMeter,
) -> Answer {
    match try_take(spool, caller, headers, body, meter).await {
        Ok(taken) => Answer::Whole((StatusCode::ACCEPTED, Json(taken)).into_response()),
        Err(problem) => Answer::refused(problem),
    }
}

async fn try_take(
    spool: &Spool,
    caller: &Verified,
    headers: &HeaderMap,
    body: Body,
    meter: &BodyMeter,
) -> Result<Taken, Problem> {
    if !is_json(headers) {
        return Err(unsupported_media_type());
    }
    let body = read(body, meter).await?;
    let batch = Batch::read(&body, &reporter(caller)).map_err(super::refusal::BatchFault::problem)?;
    if let (true, Some((index, fault))) = (batch.drafts.is_empty(), batch.refused.first()) {
        return Err(nothing_taken(format!("entry {index}: {fault}")));
    }
    let taken = batch.drafts.len();
    keep(spool, batch.drafts).await?;
    Ok(Taken {
        taken,
        refused: batch.refused.into_iter().map(refused_entry).collect(),
    })
}

/// Whose word it is, by the token that came with it.
fn reporter(caller: &Verified) -> Reporter {
    Reporter {
        iss: caller.iss.clone(),
        sub: caller.sub.clone(),
        client_id: caller.client_id.clone(),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut values = headers.get_all(CONTENT_TYPE).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let media_type = value.to_str().unwrap_or_default().split(';').next();
    media_type.is_some_and(|name| name.trim().eq_ignore_ascii_case("application/json"))
}

async fn read(body: Body, meter: &BodyMeter) -> Result<Vec<u8>, Problem> {
    let reading = Limited::new(meter.clone().measure(body), BODY_BYTES_MAX).collect();
    match tokio::time::timeout(BODY_TIMEOUT, reading).await {
        Ok(Ok(collected)) => Ok(collected.to_bytes().to_vec()),
        Ok(Err(error)) if error.is::<LengthLimitError>() || meter.is_exceeded() => {
            Err(body_too_large(meter.bytes_max().min(BODY_BYTES_MAX as u64)))
        }
        Ok(Err(_)) | Err(_) => Err(body_incomplete()),
    }
}

/// Writes events whose room is held before the first of them is: a full spool takes all of a report or nothing.
async fn keep(spool: &Spool, drafts: Vec<(usize, shared::event::Draft)>) -> Result<(), Problem> {
    let held: Vec<_> = drafts
        .iter()
        .map(|_| spool.reserve())
        .collect::<Result<_, _>>()
        .map_err(|error: SpoolError| {
            tracing::debug!(%error, "a report is refused because it cannot be kept");
            cannot_keep(&[])
        })?;
    let mut handed_over = Vec::with_capacity(drafts.len());
    for ((index, draft), room) in drafts.into_iter().zip(&held) {
        handed_over.push((index, spool.hand_over(&draft, Some(room)).await));
    }
    let mut written = Vec::new();
    let mut failure = None;
    for (index, waiting) in handed_over {
        let result = match waiting {
            Ok(waiting) => waiting.written().await,
            Err(error) => Err(error),
        };
        match result {
            Ok(()) => written.push(index),
            Err(error) => failure = Some(error),
        }
    }
    match failure {
        None => Ok(()),
        Some(error) => {
            tracing::warn!(%error, written = written.len(), "a report could not be kept as a whole");
            Err(cannot_keep(&written))
        }
    }
}

fn refused_entry((index, fault): (usize, EntryFault)) -> RefusedEntry {
    RefusedEntry {
        index,
        code: fault.code(),
        detail: fault.to_string(),
    }
}
