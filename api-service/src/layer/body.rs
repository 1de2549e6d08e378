//! The body of a handler's answer, as it goes into the event.

use axum::body::Body;
use axum::response::Response;
use http::StatusCode;
use http_body::Body as _;
use http_body_util::BodyExt as _;
use shared::http::problem::Problem;

use crate::gate::{Answer, COLLECT_BYTES_MAX};

/// The answer with its body, which is waited for if it says that it is short: one event tells all of it then (decision 0004).
pub(super) async fn answer(response: Response) -> Answer {
    let length = response.body().size_hint().exact();
    if length.is_none_or(|bytes| bytes > COLLECT_BYTES_MAX) {
        return Answer::Streamed(response);
    }
    let (parts, body) = response.into_parts();
    match body.collect().await {
        Ok(body) => Answer::Whole(Response::from_parts(parts, Body::from(body.to_bytes()))),
        Err(error) => {
            tracing::error!(%error, "a handler broke off its answer");
            Answer::refused(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "answer_broken",
                "the answer broke off",
            ))
        }
    }
}
