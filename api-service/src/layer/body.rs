//! The body of a handler's answer, as it goes into the event and as it ends.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt as _;
use shared::http::problem::Problem;

use crate::gate::{Answer, COLLECT_BYTES_MAX, MustEnd};

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

/// The answer, broken off when it takes its time and must end.
pub(super) fn ended(answer: Answer, must_end: impl FnOnce() -> MustEnd) -> Answer {
    match answer {
        Answer::Streamed(response) => {
            let must_end = must_end();
            Answer::Streamed(response.map(|inner| Body::new(EndedBody { inner, must_end })))
        }
        answer => answer,
    }
}

struct EndedBody {
    inner: Body,
    must_end: MustEnd,
}

impl HttpBody for EndedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        // First of all, or an answer that never pauses would never be ended.
        if let Poll::Ready(cut) = self.must_end.as_mut().poll(context) {
            return Poll::Ready(Some(Err(axum::Error::new(cut))));
        }
        Pin::new(&mut self.inner).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
