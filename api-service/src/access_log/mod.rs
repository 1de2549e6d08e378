//! The access log: a line of JSON on standard output for every request, for whoever collects logs and not events.
//!
//! It is a convenience beside the events and never in their way: lines wait in a bounded queue for a thread that writes them, and
//! what finds the queue full is dropped and counted. What must not be lost is in the events.

mod line;

use std::fmt;
use std::io::Write;
use std::str::FromStr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use shared::event::{Draft, action};
use shared::runtime::metrics::Metrics;
use tokio::sync::oneshot;

/// Lines that may wait: a second or so of a busy door, some megabytes.
const LINES_MAX: usize = 8_192;

/// How long the last lines may take to be written.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// Whether there is an access log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccessLogFormat {
    /// None.
    Off,
    /// A line of JSON for each request.
    Json,
}

/// Not a form of access logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of off, json")]
pub struct UnknownAccessLogFormat;

impl FromStr for AccessLogFormat {
    type Err = UnknownAccessLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownAccessLogFormat> {
        match text {
            "off" => Ok(Self::Off),
            "json" => Ok(Self::Json),
            _ => Err(UnknownAccessLogFormat),
        }
    }
}

/// Where lines go. Clones share it.
#[derive(Clone, Default)]
pub struct AccessLog {
    queue: Option<SyncSender<Word>>,
    dropped: Counter,
}

enum Word {
    Line(Vec<u8>),
    /// Asks to be told when everything before it is written.
    Flush(oneshot::Sender<()>),
}

impl fmt::Debug for AccessLog {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.queue.is_some() {
            "AccessLog(on)"
        } else {
            "AccessLog(off)"
        })
    }
}

impl AccessLog {
    /// The log of that form on standard output.
    pub fn of(format: AccessLogFormat) -> std::io::Result<Self> {
        match format {
            AccessLogFormat::Off => Ok(Self::default()),
            AccessLogFormat::Json => Self::to(std::io::stdout()),
        }
    }

    /// A log that goes to `writer`, from a thread of its own.
    pub fn to(writer: impl Write + Send + 'static) -> std::io::Result<Self> {
        let (queue, words) = sync_channel(LINES_MAX);
        let dropped = Counter::default();
        let lost = dropped.clone();
        std::thread::Builder::new()
            .name("access-log".to_owned())
            .spawn(move || write_all(writer, &words, &lost))?;
        Ok(Self {
            queue: Some(queue),
            dropped,
        })
    }

    /// Registers what it counts under `prefix`.
    pub(crate) fn watch(&self, metrics: &Metrics, prefix: &str) {
        metrics.register(prefix, |registry| {
            registry.register(
                "access_log_dropped",
                "Lines of the access log that were dropped, because standard output took no more",
                self.dropped.clone(),
            );
        });
    }

    /// The line of a request that is answered so; of other events, and without a log, none.
    pub(crate) fn line(&self, draft: &Draft) -> Option<Vec<u8>> {
        let is_told = self.queue.is_some() && draft.facts.action == action::API_REQUEST;
        is_told.then(|| line::of(draft))
    }

    /// Writes a line in its turn.
    pub(crate) fn tell(&self, line: Option<Vec<u8>>) {
        if let (Some(queue), Some(line)) = (&self.queue, line)
            && queue.try_send(Word::Line(line)).is_err()
        {
            self.dropped.inc();
        }
    }

    /// Waits, within a bound, until what was told is written.
    pub(crate) async fn close(&self) {
        let Some(queue) = &self.queue else { return };
        let (queue, (told, written)) = (queue.clone(), oneshot::channel());
        // A full queue is waited for, on a thread that nobody waits for.
        std::thread::spawn(move || drop(queue.send(Word::Flush(told))));
        if tokio::time::timeout(CLOSE_MAX, written).await.is_err() {
            tracing::warn!("the last lines of the access log could not be written");
        }
    }
}

/// Writes until nobody is left who could tell something. Lines that came together are written together.
fn write_all(mut writer: impl Write, words: &Receiver<Word>, lost: &Counter) {
    while let Ok(first) = words.recv() {
        let (mut text, mut lines, mut waiting) = (Vec::new(), 0, Vec::new());
        for word in std::iter::once(first).chain(words.try_iter().take(LINES_MAX)) {
            match word {
                Word::Line(line) => {
                    text.extend(line);
                    lines += 1;
                }
                Word::Flush(told) => waiting.push(told),
            }
        }
        if writer.write_all(&text).and_then(|()| writer.flush()).is_err() {
            lost.inc_by(lines);
        }
        for told in waiting {
            // Whoever asked may have given up.
            told.send(()).unwrap_or_default();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use shared::clock::UtcMicros;
    use shared::event::{Class, Facts, Outcome};

    use super::*;

    /// Takes nothing until it is told to.
    struct Stuck(Receiver<()>);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            match self.0.recv() {
                Ok(()) => Ok(bytes.len()),
                Err(_) => Err(std::io::ErrorKind::BrokenPipe.into()),
            }
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn draft(action: &str) -> Draft {
        let facts = Facts::new(Class::Access, action, Outcome::Granted);
        Draft::new(UtcMicros::from_seconds(0), facts)
    }

    #[tokio::test]
    async fn an_output_that_takes_nothing_holds_up_nobody_and_every_lost_line_is_counted() {
        let (release, gate) = mpsc::channel::<()>();
        let log = AccessLog::to(Stuck(gate)).unwrap();

        for _ in 0..4 * LINES_MAX {
            log.tell(log.line(&draft(action::API_REQUEST)));
        }

        let dropped = log.dropped.get();
        assert!(dropped >= u64::try_from(LINES_MAX).unwrap(), "{dropped}");
        drop(release);
        log.close().await;
        assert_eq!(log.dropped.get(), u64::try_from(4 * LINES_MAX).unwrap());
    }

    #[test]
    fn only_requests_are_lines() {
        let log = AccessLog::to(Vec::new()).unwrap();

        for other in [action::API_RESPONSE_END, action::POLICY_CHANGED] {
            assert_eq!(log.line(&draft(other)), None);
        }
        assert_eq!(AccessLog::default().line(&draft(action::API_REQUEST)), None);
    }
}
