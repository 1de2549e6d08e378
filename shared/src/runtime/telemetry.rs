//! Logs: JSON for machines, readable on a terminal.

use std::io::IsTerminal as _;
use std::str::FromStr;

use tracing::Dispatch;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt as _;

/// What logs look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// JSON unless standard error is a terminal.
    Auto,
    /// One JSON object a line.
    Json,
    /// Lines for people.
    Text,
}

/// Not a log format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not one of auto, json, text")]
pub struct UnknownLogFormat;

impl FromStr for LogFormat {
    type Err = UnknownLogFormat;

    fn from_str(text: &str) -> Result<Self, UnknownLogFormat> {
        match text {
            "auto" => Ok(Self::Auto),
            "json" => Ok(Self::Json),
            "text" => Ok(Self::Text),
            _ => Err(UnknownLogFormat),
        }
    }
}

/// Which lines are logged: `info`, or a list such as `warn,api_service=debug`.
#[derive(Clone, Debug)]
pub struct LogFilter(String);

impl FromStr for LogFilter {
    type Err = tracing_subscriber::filter::ParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        EnvFilter::builder().parse(text).map(|_| Self(text.to_owned()))
    }
}

/// Starts logging to standard error, so that standard output is for what was asked for. Only the first call counts.
pub fn start(filter: &LogFilter, format: LogFormat) {
    let is_terminal = std::io::stderr().is_terminal();
    let started = logger(filter, format, is_terminal, std::io::stderr).try_init();
    if started.is_err() {
        tracing::debug!("logging was started before");
    }
}

/// What logs to `writer`. Only a terminal gets colours, which in a file are noise.
fn logger<W>(filter: &LogFilter, format: LogFormat, is_terminal: bool, writer: W) -> Dispatch
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt()
        // The broker client reports as errors what we handle and tell ourselves; the filter may ask for it by name.
        .with_env_filter(EnvFilter::new(format!("lapin=off,{}", filter.0)))
        .with_writer(writer);
    let as_text = match format {
        LogFormat::Auto => is_terminal,
        LogFormat::Json => false,
        LogFormat::Text => true,
    };
    match (as_text, is_terminal) {
        // Whether a terminal gets them is for `NO_COLOR` to say, which the builder has read.
        (true, true) => builder.finish().into(),
        (true, false) => builder.with_ansi(false).finish().into(),
        (false, _) => builder
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .finish()
            .into(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, is_terminal: bool) -> String {
        let written = Written::default();
        let writer = written.clone();
        let logger = logger(&"info".parse().unwrap(), format, is_terminal, move || {
            writer.clone()
        });
        tracing::dispatcher::with_default(&logger, || tracing::warn!(answer = 42, "told"));
        String::from_utf8(written.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn lines_for_people_have_no_colours_unless_on_a_terminal() {
        let line = logged(LogFormat::Text, false);

        assert!(
            line.contains(" WARN ") && line.ends_with("told answer=42\n"),
            "{line}"
        );
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }

    #[test]
    fn a_file_gets_json_unless_lines_are_asked_for() {
        assert!(logged(LogFormat::Auto, false).starts_with('{'));
        assert!(logged(LogFormat::Json, true).starts_with('{'));
        assert!(!logged(LogFormat::Auto, true).starts_with('{'));
    }
}
