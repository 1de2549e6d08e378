//! `audit-collector import`: appends the log of another program to ours.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use shared::database::Database;
use shared::event::{bounded, wire};
use shared::runtime::cli::{StartError, say};

use super::{Format, Input, Progress, Summary, import};
use crate::schema::SCHEMA;
use crate::settings::Settings;

/// What stands for standard input.
const STANDARD_INPUT: &str = "-";

/// The longest name of a log, in bytes.
const NAME_BYTES_MAX: usize = 128;

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
        let progress = Progress::default();
        let (reader, bytes) = self.open(&progress)?;
        let input = Input {
            name,
            reader,
            format: self.format,
            rejects: rejects.clone(),
        };
        let database = Database::open(&settings.database_url, &SCHEMA).await?;
        let log = settings.log(&database);
        let bar = bar(bytes)?;
        let imported = import(&log, &settings.clock, input, |summary| {
            bar.set_position(progress.bytes());
            bar.set_message(format!("{} lines, {} bad", summary.lines(), summary.bad));
        })
        .await;
        bar.finish_and_clear();
        database.close().await;
        tell(&imported.map_err(StartError::failed)?, &rejects)
    }

    fn open(&self, progress: &Progress) -> Result<(Box<dyn io::Read + Send>, Option<u64>), StartError> {
        if self.file.as_os_str() == STANDARD_INPUT {
            return Ok((progress.counting(io::stdin()), None));
        }
        let unreadable = |error: io::Error| StartError::failed(format!("{}: {error}", self.file.display()));
        let file = File::open(&self.file).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
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
        let plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '_' | '-');
        let stem = file.split('.').next().unwrap_or_default();
        let name: String = stem
            .chars()
            .map(|one| if plain(one) { one } else { '_' })
            .collect();
        let name = bounded(&name, NAME_BYTES_MAX);
        if wire::is_instance_name(&name) {
            Ok(name)
        } else {
            Err(StartError::failed(
                "the file's name does not make a name; give one by --source",
            ))
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

/// Says what came of it.
fn tell(summary: &Summary, rejects: &Path) -> Result<(), StartError> {
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
    if summary.bad > 0 && summary.bad == summary.lines() {
        return Err(StartError::failed("no line of the log is an event"));
    }
    Ok(())
}
