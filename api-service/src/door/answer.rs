//! Why a request that was let in was not served: the one place that gives each reason its status, code and sentence.

use http::StatusCode;
use shared::http::problem::Problem;

use crate::proxy::ForwardError;

/// When to try again where servers are down: about when they are checked again.
const DOWN_RETRY_SECONDS: u32 = 5;

/// When to try again where servers are busy.
const BUSY_RETRY_SECONDS: u32 = 1;

/// 413: a body larger than `bytes_max`.
pub(super) fn body_too_large(bytes_max: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("a body has {bytes_max} bytes at most"),
    )
}

/// What an upstream's failure means to the client.
pub(super) fn forward_failed(error: &ForwardError) -> Problem {
    match error {
        ForwardError::BodyTooLarge(bytes_max) => body_too_large(*bytes_max),
        ForwardError::BodyLate => Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "body_timeout",
            "the request's body paused for too long",
        ),
        ForwardError::AllDown => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "upstream_unavailable",
            "no server of the API behind the door is well",
        )
        .retry_after(DOWN_RETRY_SECONDS),
        ForwardError::AllBusy => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "upstream_busy",
            "the API behind the door has as much to do as it may",
        )
        .retry_after(BUSY_RETRY_SECONDS),
        ForwardError::RequestBody => Problem::new(
            StatusCode::BAD_REQUEST,
            "body_unreadable",
            "the request's body broke off or could not be read",
        ),
        ForwardError::Unreachable(_) => Problem::new(
            StatusCode::BAD_GATEWAY,
            "upstream_unreachable",
            "the API behind the door cannot be reached",
        ),
        ForwardError::TimedOut => Problem::new(
            StatusCode::GATEWAY_TIMEOUT,
            "upstream_timeout",
            "the API behind the door did not answer in time",
        ),
        ForwardError::Broken => Problem::new(
            StatusCode::BAD_GATEWAY,
            "upstream_broken",
            "the API behind the door broke off its answer",
        ),
        ForwardError::NoServer => Problem::new(
            StatusCode::BAD_GATEWAY,
            "upstream_unreachable",
            "the API behind the door has no server",
        ),
    }
}
