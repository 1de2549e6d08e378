//! `audit-collector import`: appends the log of another program to ours.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use shared::database::Database;
use shared::event::wire;
use shared::runtime::cli::{COMMAND_PATIENCE, StartError, say};

use super::{Format, Input, Progress, Summary, import};
use crate::schema::SCHEMA;
use crate::settings::Settings;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// How often the progress is drawn.
const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Which log, and in which format.
#[derive(Debug, Args)]
pub struct ImportCommand {
    /// The log, plain or gzip; `-` for standard input.
    file: PathBuf,
    /// Its format; by default that of its first good line.
    #[arg(long)]
    format: Option<Format>,
    /// What it is called: the same lines under the same name are the same events. By default the file's name up to its first dot.
    #[arg(long)]
    source: Option<String>,
    /// The file that lines which are no events are kept in; by default the log's path with `.rejected` behind it.
    #[arg(long)]
    rejects: Option<PathBuf>,
}

impl ImportCommand {
    /// Does it; an error if no line of the log is an event.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let settings = Settings::load(config)?;
        let name = self.name()?;
        let rejects = self.rejects();
        if is_same_file(&self.file, &rejects) {
            return Err(StartError::failed("--rejects is the log itself"));
        }
        let progress = Progress::default();
        let (reader, bytes) = self.open(&progress)?;
        let input = Input {
            name,
            reader,
            format: self.format,
            rejects: rejects.clone(),
        };
        let database = Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await?;
        let log = settings.log(&database);
        let bar = bar(bytes)?;
        let imported = import(&log, &settings.clock, input, |summary| {
            bar.set_position(progress.bytes());
            bar.set_message(format!("{} lines, {} bad", summary.lines(), summary.bad));
        })
        .await;
        bar.finish_and_clear();
        database.close().await;
        let summary = imported.as_ref().unwrap_or_else(|stopped| &stopped.summary);
        tell(summary, &rejects);
        let has_event = summary.bad == 0 || summary.bad < summary.lines();
        imported.map_err(|stopped| self.failed(stopped))?;
        has_event
            .then_some(())
            .ok_or_else(|| StartError::failed("no line of the log is an event"))
    }

    fn failed(&self, error: impl Display) -> StartError {
        StartError::failed(format!("{}: {error}", self.file.display()))
    }

    fn open(&self, progress: &Progress) -> Result<(Box<dyn io::Read + Send>, Option<u64>), StartError> {
        if self.file.as_os_str() == STANDARD_INPUT {
            return Ok((progress.counting(io::stdin()), None));
        }
        let file = File::open(&self.file).map_err(|error| self.failed(error))?;
        let bytes = file.metadata().map_err(|error| self.failed(error))?.len();
        Ok((progress.counting(file), Some(bytes)))
    }

    fn name(&self) -> Result<String, StartError> {
        if let Some(name) = &self.source {
            return if wire::is_instance_name(name) {
                Ok(name.clone())
            } else {
                Err(StartError::failed(
                    "--source takes 1 to 128 letters, digits, `.`, `_` and `-`",
                ))
            };
        }
        if self.file.as_os_str() == STANDARD_INPUT {
            return Ok("stdin".to_owned());
        }
        let file = self.file.file_name().unwrap_or_default().to_string_lossy();
        let name = file.split('.').next().unwrap_or_default();
        // Nothing is replaced or cut: of two logs of one name, equal lines would be taken for one.
        if wire::is_instance_name(name) {
            Ok(name.to_owned())
        } else {
            Err(self.failed("the file's name does not make a name of a log; give one by --source"))
        }
    }

    fn rejects(&self) -> PathBuf {
        self.rejects.clone().unwrap_or_else(|| {
            if self.file.as_os_str() == STANDARD_INPUT {
                return "stdin.rejected".into();
            }
            let mut path = OsString::from(&self.file);
            path.push(".rejected");
            path.into()
        })
    }
}

/// A bar of that many bytes, or a line that moves if their number is not known. Nothing of it where standard error is no terminal.
fn bar(bytes: Option<u64>) -> Result<ProgressBar, StartError> {
    let bar = bytes.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if bytes.is_some() {
        "{bar:30} {bytes}/{total_bytes} {eta}  {msg}"
    } else {
        "{spinner} {bytes}  {msg}"
    };
    bar.set_style(ProgressStyle::with_template(template).map_err(StartError::failed)?);
    bar.enable_steady_tick(DRAW_EVERY);
    Ok(bar)
}

/// Whether both are there and the same, by whatever path.
fn is_same_file(one: &Path, other: &Path) -> bool {
    let file = |path: &Path| path.metadata().ok().map(|file| (file.dev(), file.ino()));
    file(one).is_some_and(|one| file(other) == Some(one))
}

/// Says what came of it.
fn tell(summary: &Summary, rejects: &Path) {
    for (number, flaw) in &summary.named {
        say(&format!("line {number}: {flaw}"));
    }
    let more = summary.bad - summary.named.len() as u64;
    if more > 0 {
        say(&format!("and {more} more bad lines"));
    }
    let format = summary.format.map_or("no known format", Format::as_str);
    say(&format!(
        "{} lines in {format}: {} stored, {} stored before, {} bad",
        summary.lines(),
        summary.stored,
        summary.known,
        summary.bad
    ));
    if summary.bad > 0 {
        say(&format!("the bad ones are in {}", rejects.display()));
    }
    if summary.differing > 0 {
        say(&format!(
            "{} more were left as they are stored, which is otherwise: the log was changed since, or pseudonyms were",
            summary.differing
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(file: &str) -> ImportCommand {
        ImportCommand {
            file: file.into(),
            format: None,
            source: None,
            rejects: None,
        }
    }

    #[test]
    fn a_log_is_called_as_its_file_up_to_the_first_dot_or_by_its_owner() {
        assert_eq!(of("/var/log/access.log.2.gz").name().unwrap(), "access");
        assert_eq!(of("-").name().unwrap(), "stdin");
        for file in ["한글.log", "a b.log", ".log", "/"] {
            let error = of(file).name().unwrap_err().to_string();
            assert!(error.contains("--source"), "{error}");
        }
    }

    #[test]
    fn a_log_is_known_by_whatever_path() {
        let folder = tempfile::TempDir::new().unwrap();
        let [log, link, other] = ["log", "link", "other"].map(|name| folder.path().join(name));
        std::fs::write(&log, "line").unwrap();
        std::fs::hard_link(&log, &link).unwrap();
        std::fs::write(&other, "line").unwrap();

        assert!(is_same_file(&log, &link));
        assert!(!is_same_file(&log, &other));
        assert!(!is_same_file(&log, &folder.path().join("none")));
    }
}
