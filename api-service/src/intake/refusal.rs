//! Why a report was not taken: the one place that gives each reason its status, code and sentence.

use http::StatusCode;
use shared::http::problem::Problem;

use super::batch::ENTRIES_MAX;

/// How long a reporter should wait when it is we who cannot take its report.
const RETRY_SECONDS: u32 = 5;

/// What is wrong with a body, so that no entry of it is taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum BatchFault {
    /// Not JSON; why not, and where.
    Malformed(String),
    /// No entry.
    Empty,
    /// More than [`ENTRIES_MAX`].
    TooMany,
}

impl BatchFault {
    pub(super) fn problem(self) -> Problem {
        match self {
            Self::Malformed(why) => Problem::new(
                StatusCode::BAD_REQUEST,
                "body_malformed",
                format!("the body is not JSON: {why}"),
            ),
            Self::Empty => Problem::new(
                StatusCode::BAD_REQUEST,
                "report_empty",
                "a report has at least one entry",
            ),
            Self::TooMany => Problem::new(
                StatusCode::BAD_REQUEST,
                "report_too_long",
                format!("a report has {ENTRIES_MAX} entries at most"),
            ),
        }
    }
}

/// 415: not JSON by its own word.
pub(super) fn unsupported_media_type() -> Problem {
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported_media_type",
        "a report is application/json",
    )
}

/// 413: a body larger than `bytes_max`.
pub(super) fn body_too_large(bytes_max: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "body_too_large",
        format!("a report has {bytes_max} bytes at most"),
    )
}

/// 400: the body broke off or took too long.
pub(super) fn body_incomplete() -> Problem {
    Problem::new(
        StatusCode::BAD_REQUEST,
        "body_incomplete",
        "the report broke off or took too long",
    )
}

/// 422: not one entry is good. `fault` is what is wrong with the first.
pub(super) fn nothing_taken(fault: impl std::fmt::Display) -> Problem {
    Problem::new(
        StatusCode::UNPROCESSABLE_ENTITY,
        "report_refused",
        format!("no entry is good; the first: {fault}"),
    )
}

/// 503: entries could not be written. `written` are the indexes of those that were all the same.
///
/// To send the whole report again is right in any case: an entry that is told twice is one event.
pub(super) fn cannot_keep(written: &[usize]) -> Problem {
    let detail = if written.is_empty() {
        "reports cannot be kept at the moment; nothing of this one was taken".to_owned()
    } else {
        format!("of this report only the entries {written:?} could be kept; send all of it again")
    };
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, "audit_unavailable", detail).retry_after(RETRY_SECONDS)
}
