//! What comes of a try to send a message, and when it is tried again. Pure.

use std::time::Duration;

use lettre::transport::smtp;
use shared::clock::UtcMicros;
use shared::event::bounded;

use super::mail::MailError;
use crate::webhook::WebhookError;
use http::StatusCode;

/// For how long a message is tried.
const GIVE_UP_AFTER: Duration = Duration::from_hours(24);

/// The first wait, which doubles.
const WAIT_MIN: Duration = Duration::from_secs(5);

/// The longest wait, also if a receiver asks for more.
const WAIT_MAX: Duration = Duration::from_hours(1);

/// The longest problem that is kept, in bytes.
const PROBLEM_BYTES_MAX: usize = 300;

/// Statuses of HTTP below 500 that a receiver may change its mind about.
const PASSING: [StatusCode; 3] = [
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_EARLY,
    StatusCode::TOO_MANY_REQUESTS,
];

/// What came of a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Attempt {
    /// What the receiver answered, of HTTP or SMTP; `None` if it did not.
    pub(super) status: Option<u16>,
    /// What it means.
    pub(super) verdict: Verdict,
}

/// What an answer means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The receiver has it.
    Delivered,
    /// It may arrive later, after the wait that the receiver asks for.
    Later(String, Option<Duration>),
    /// It never will.
    Never(String),
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Delivered,
    Failed,
    TryAt(UtcMicros),
}

impl Attempt {
    /// Why it did not arrive.
    pub(super) fn problem(&self) -> Option<&str> {
        match &self.verdict {
            Verdict::Delivered => None,
            Verdict::Later(problem, _) | Verdict::Never(problem) => Some(problem),
        }
    }

    /// What is to be done after the try number `number`, the first of which was at `since`.
    pub(super) fn next(&self, number: i64, since: UtcMicros, now: UtcMicros) -> Next {
        match &self.verdict {
            Verdict::Delivered => Next::Delivered,
            Verdict::Never(_) => Next::Failed,
            Verdict::Later(..) if now.since(since) >= GIVE_UP_AFTER => Next::Failed,
            Verdict::Later(_, asked) => {
                let doubled = u32::try_from(number - 1).unwrap_or_default().min(16);
                let wait = WAIT_MIN * (1 << doubled);
                Next::TryAt(now.plus(wait.max(asked.unwrap_or_default()).min(WAIT_MAX)))
            }
        }
    }

    pub(super) fn of_webhook(result: Result<StatusCode, WebhookError>) -> Self {
        let error = match result {
            Ok(status) => return Self::delivered(status.as_u16()),
            Err(error) => error,
        };
        let problem = bounded(&error.to_string(), PROBLEM_BYTES_MAX);
        let (status, verdict) = match error {
            WebhookError::Refused { status, retry_after } => {
                let is_passing = status.is_server_error() || PASSING.contains(&status);
                let verdict = if is_passing {
                    Verdict::Later(problem, retry_after)
                } else {
                    Verdict::Never(problem)
                };
                (Some(status.as_u16()), verdict)
            }
            WebhookError::Unbuildable(_) => (None, Verdict::Never(problem)),
            WebhookError::Unreachable(_) | WebhookError::TimedOut => (None, Verdict::Later(problem, None)),
        };
        Self { status, verdict }
    }

    pub(super) fn of_mail(result: Result<u16, MailError>) -> Self {
        let error = match result {
            Ok(status) => return Self::delivered(status),
            Err(error) => error,
        };
        let problem = bounded(&error.to_string(), PROBLEM_BYTES_MAX);
        let status = match &error {
            MailError::Smtp(error) => smtp::Error::status(error).map(u16::from),
            MailError::Unwritable(_) | MailError::TimedOut => None,
        };
        let is_final = match &error {
            MailError::Smtp(error) => error.is_permanent(),
            MailError::Unwritable(_) => true,
            MailError::TimedOut => false,
        };
        let verdict = if is_final {
            Verdict::Never(problem)
        } else {
            Verdict::Later(problem, None)
        };
        Self { status, verdict }
    }

    /// Of a message whose alert is not there any more.
    pub(super) fn without_alert() -> Self {
        Self {
            status: None,
            verdict: Verdict::Never("the alert is gone".to_owned()),
        }
    }

    const fn delivered(status: u16) -> Self {
        Self {
            status: Some(status),
            verdict: Verdict::Delivered,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SINCE: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn refused(status: u16, retry_after: Option<Duration>) -> Attempt {
        let status = StatusCode::from_u16(status).unwrap();
        Attempt::of_webhook(Err(WebhookError::Refused { status, retry_after }))
    }

    #[test]
    fn waits_double_up_to_an_hour_and_end_after_a_day() {
        let attempt = refused(503, None);
        let seconds = |number| match attempt.next(number, SINCE, SINCE) {
            Next::TryAt(at) => at.since(SINCE).as_secs(),
            next => panic!("{next:?}"),
        };

        assert_eq!(
            [1, 2, 3, 10, 11, 1_000].map(seconds),
            [5, 10, 20, 2560, 3600, 3600]
        );
        let day = SINCE.plus(GIVE_UP_AFTER);
        assert!(matches!(
            attempt.next(40, SINCE, day.minus(Duration::from_micros(1))),
            Next::TryAt(_)
        ));
        assert_eq!(attempt.next(40, SINCE, day), Next::Failed);
    }

    #[test]
    fn a_receiver_may_ask_for_patience_within_bounds() {
        for (asked, expected) in [(1, 5), (60, 60), (1_000_000, 3600)] {
            let attempt = refused(429, Some(Duration::from_secs(asked)));
            let expected = SINCE.plus(Duration::from_secs(expected));
            assert_eq!(attempt.next(1, SINCE, SINCE), Next::TryAt(expected), "{asked}");
        }
    }

    #[test]
    fn what_a_receiver_will_never_take_is_not_sent_again() {
        for status in [301, 400, 401, 403, 404, 410, 413, 422] {
            assert_eq!(
                refused(status, None).next(1, SINCE, SINCE),
                Next::Failed,
                "{status}"
            );
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            let next = refused(status, None).next(1, SINCE, SINCE);
            assert!(matches!(next, Next::TryAt(_)), "{status}");
        }
        let delivered = Attempt::of_webhook(Ok(StatusCode::NO_CONTENT));
        assert_eq!((delivered.status, delivered.problem()), (Some(204), None));
        assert_eq!(delivered.next(1, SINCE, SINCE), Next::Delivered);
    }
}
