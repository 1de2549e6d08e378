//! The gate's own refusals: the one place that gives each its status, code and sentence. Those of tokens are RFC 6750's
//! (`shared::http::bearer`).

use http::StatusCode;
use shared::http::problem::Problem;
use shared::spool::SpoolError;

use crate::policy::PathRefusal;
use crate::rate_limit::Exceeded;

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
pub(crate) fn no_route() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "no_route",
        "nothing here is served under this method and path",
    )
}

/// 429: asked too often (RFC 6585 §4).
pub(super) fn rate_limited(exceeded: &Exceeded) -> Problem {
    let problem = Problem::new(
        StatusCode::TOO_MANY_REQUESTS,
        "rate_limited",
        "this was asked for too often; ask again later",
    );
    problem.retry_after(exceeded.retry_after())
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
