//! The door's own refusals: the one place that gives each its status, code and sentence.

use http::StatusCode;
use shared::http::problem::Problem;
use shared::spool::SpoolError;

use crate::policy::PathRefusal;
use crate::proxy::ForwardError;

/// How long a client should wait when it is we who are not able to serve.
const RETRY_SECONDS: u32 = 5;

/// 403: whatever comes from there is refused, with a token or without.
pub(super) fn address_blocked() -> Problem {
    Problem::new(
        StatusCode::FORBIDDEN,
        "address_blocked",
        "requests from this address are not served at the moment",
    )
}

/// 400: the path could be read in several ways.
pub(super) fn refused_path(refusal: PathRefusal) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "path_refused", refusal.to_string())
}

/// 404: deny by default.
pub(super) fn no_route() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_route",
        "nothing here is served under this method and path",
    )
}

/// 413: a body larger than `bytes_max`.
pub(super) fn body_too_large(bytes_max: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("a body has {bytes_max} bytes at most"),
    )
}

/// 503: the request could not be recorded, and unrecorded it is not served.
pub(super) fn audit_unavailable(error: &SpoolError) -> Problem {
    tracing::debug!(%error, "a request is refused because it cannot be recorded");
    let problem = Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "audit_unavailable",
        "requests cannot be recorded at the moment and are not served without a record",
    );
    problem.retry_after(RETRY_SECONDS)
}

/// What an upstream's failure means to the client.
pub(super) fn forward_failed(error: &ForwardError) -> Problem {
    match error {
        ForwardError::BodyTooLarge(bytes_max) => body_too_large(*bytes_max),
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
