//! How long an exchange with an upstream may take, in all and without a sign of life.

use std::time::Duration;

use serde::Deserialize;

/// The longest of all times: a day.
const SECONDS_MAX: u64 = 24 * 60 * 60;

/// How long an exchange may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection to a server is there.
    pub connect: Duration,
    /// From the last of the request's body that was passed on to the head of the answer.
    pub answer: Duration,
    /// Between two parts of a request's body.
    pub body: Duration,
    /// Between two parts of an answer's body, or of what passes in either direction after an upgrade.
    pub idle: Duration,
    /// From the request's head to the end of the answer.
    pub whole: Duration,
}

/// `timeouts = { connect = 3, answer = 30, body = 30, idle = 60, whole = 3600 }`, in seconds.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TimeoutTable {
    pub(super) connect: Option<u64>,
    answer: Option<u64>,
    body: Option<u64>,
    idle: Option<u64>,
    whole: Option<u64>,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            answer: Duration::from_secs(30),
            body: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            whole: Duration::from_hours(1),
        }
    }
}

impl Timeouts {
    /// The same with what `table` says; what is wrong with that is told to `wrong`.
    pub(super) fn with(mut self, table: Option<TimeoutTable>, wrong: &mut impl FnMut(String)) -> Self {
        let table = table.unwrap_or_default();
        for (name, given, time) in [
            ("connect", table.connect, &mut self.connect),
            ("answer", table.answer, &mut self.answer),
            ("body", table.body, &mut self.body),
            ("idle", table.idle, &mut self.idle),
            ("whole", table.whole, &mut self.whole),
        ] {
            let Some(seconds) = given else { continue };
            if !(1..=SECONDS_MAX).contains(&seconds) {
                wrong(format!(
                    "`timeouts.{name}` is a number of seconds from 1 to {SECONDS_MAX}"
                ));
            }
            *time = Duration::from_secs(seconds);
        }
        self
    }
}
