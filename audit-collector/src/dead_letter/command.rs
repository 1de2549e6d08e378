//! `audit-collector dead-letters`: the same from the command line, on the database itself.
//!
//! Whoever can run it can read the database, so that reads are not recorded, as those of any other program are not. Changes are:
//! through a spool of the command's own, which the service's next look adopts if the broker is away.

use std::path::Path;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Subcommand};
use http::StatusCode;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::event::{Actor, Class, Draft, Facts, Identity, Outcome};
use shared::runtime::cli::{COMMAND_PATIENCE, StartError, note, printable, say};
use shared::spool::{self, Spool, SpoolSettings};
use uuid::Uuid;

use super::desk::{Act, Desk, Tally, Witness};
use super::kept::{KeptLetter, LetterBody, LetterPage};
use super::wanted::{Bulk, Wanted, Which, check_because};
use crate::error::ApiError;
use crate::event_log::EventLog;
use crate::schema::SCHEMA;
use crate::search::Period;
use crate::settings::{SERVICE, Settings};

/// What the instance is called in the events of a command.
const INSTANCE: &str = "command";

/// Whom the events of a command name: that somebody may run it was decided by the machine, not by us.
const USERNAME: &str = "command_line";

/// What is done with dead letters.
#[derive(Debug, Subcommand)]
pub enum DeadLettersCommand {
    /// Lists them, the latest first: id, when it came first, how often, why it is none, who sent it, bytes.
    List(Listing),
    /// Shows one with its bytes, as JSON: as text if they are UTF-8, or else in base64.
    Show {
        /// Its id.
        id: Uuid,
    },
    /// Judges one again, or all that are named, and stores what is an event; ends with 1 if some stay.
    Replay(Target),
    /// Drops one, or all that are named. Their numbers stay filled.
    Drop(Dropping),
}

/// Which are listed, and how.
#[derive(Debug, Args)]
pub struct Listing {
    #[command(flatten)]
    which: WhichLetters,
    /// Letters at most.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Prints JSON, a line for each.
    #[arg(long)]
    json: bool,
}

/// Which are dropped, and why.
#[derive(Debug, Args)]
pub struct Dropping {
    #[command(flatten)]
    target: Target,
    /// Why, for the record.
    #[arg(long)]
    because: String,
}

/// Which dead letters.
#[derive(Clone, Debug, Args)]
struct WhichLetters {
    /// Why they are none, such as `malformed`.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    reason: Option<String>,
    /// The user of the broker that sent them.
    #[arg(long, value_parser = NonEmptyStringValueParser::new())]
    publisher: Option<String>,
    /// The first moment (RFC 3339) at which one was received.
    #[arg(long)]
    from: Option<UtcMicros>,
    /// The first moment after.
    #[arg(long)]
    to: Option<UtcMicros>,
}

/// One dead letter, or many.
#[derive(Clone, Debug, Args)]
pub struct Target {
    /// The id of one; otherwise at least one of the options says which.
    #[arg(conflicts_with_all = ["reason", "publisher", "from", "to"])]
    id: Option<Uuid>,
    #[command(flatten)]
    which: WhichLetters,
    /// Changes nothing, and says what would come of it.
    #[arg(long)]
    dry_run: bool,
}

impl WhichLetters {
    fn read(self) -> Result<Which, StartError> {
        let period = Period {
            from: self.from,
            to: self.to,
        };
        period.check().map_err(StartError::failed)?;
        Ok(Which {
            period,
            reason: self.reason,
            publisher: self.publisher,
        })
    }
}

impl DeadLettersCommand {
    /// Does it, with the settings of the file at `config`, if any, and of the environment.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        if let Self::Drop(dropping) = &self {
            check_because(&dropping.because).map_err(StartError::failed)?;
        }
        let settings = Settings::load(config)?;
        let database = Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await?;
        let log = settings.log(&database);
        let done = self.run_on(&log, &settings).await;
        database.close().await;
        done
    }

    async fn run_on(self, log: &EventLog, settings: &Settings) -> Result<(), StartError> {
        match self {
            Self::List(Listing { which, limit, json }) => {
                let which = which.read()?;
                let wanted = Wanted {
                    limit,
                    ..Wanted::first_of(which)
                };
                let letters = log.dead_letters(&wanted).await.map_err(StartError::failed)?;
                let page = LetterPage::of(letters, limit);
                for letter in &page.dead_letters {
                    say(&if json { as_json(letter)? } else { letter.line() });
                }
                if page.next_cursor.is_some() {
                    note("there are more: see --limit, or --to for what came before the last of these");
                }
                Ok(())
            }
            Self::Show { id } => {
                let letter = find(log, id).await?;
                say(&as_json(&letter.told(true))?);
                Ok(())
            }
            Self::Replay(target) => act(log, settings, target, Act::Replay).await,
            Self::Drop(Dropping { target, because }) => {
                act(log, settings, target, Act::Drop { because }).await
            }
        }
    }
}

async fn find(log: &EventLog, id: Uuid) -> Result<KeptLetter, StartError> {
    let letter = log.dead_letter(id).await.map_err(StartError::failed)?;
    letter.ok_or_else(|| StartError::failed(ApiError::NoSuchDeadLetter))
}

async fn act(log: &EventLog, settings: &Settings, target: Target, act: Act) -> Result<(), StartError> {
    let spool_settings = SpoolSettings {
        dir: settings.spool_dir.clone(),
        service: SERVICE,
        instance: INSTANCE.parse().map_err(StartError::failed)?,
        bytes_max: settings.spool_max_bytes,
    };
    let opened = spool::open(&spool_settings, &settings.transport, settings.clock.clone());
    let (spool, tasks) = opened.map_err(|error| {
        StartError::failed(format!(
            "nothing is changed, since it cannot be recorded: {error}"
        ))
    })?;
    let desk = Desk {
        log,
        clock: &settings.clock,
        witness: CommandLine { spool },
    };
    let tally = act_by(&desk, target, &act).await;
    drop(desk);
    tasks.close().await;
    let tally = tally?;
    for line in tally.lines() {
        say(&line);
    }
    if tally.refused.is_empty() {
        Ok(())
    } else {
        Err(StartError::failed("some of them stay"))
    }
}

async fn act_by(desk: &Desk<'_, CommandLine>, target: Target, act: &Act) -> Result<Tally, StartError> {
    let is_dry_run = target.dry_run;
    let acted = if let Some(id) = target.id {
        desk.act_on_one(&find(desk.log, id).await?, act, is_dry_run).await
    } else {
        let which = target.which.read()?;
        which.check_narrow().map_err(StartError::failed)?;
        desk.act(Bulk { which, is_dry_run }, act, u64::MAX).await
    };
    acted.map_err(StartError::failed)
}

/// Whoever runs the command.
struct CommandLine {
    spool: Spool,
}

impl Witness for CommandLine {
    fn facts(&self, name: &str, (outcome, _): (Outcome, StatusCode)) -> Facts {
        let mut facts = Facts::new(Class::Admin, name, outcome);
        facts.actor = Actor {
            identity: Identity::Claimed,
            username: Some(USERNAME.to_owned()),
            ..Actor::default()
        };
        facts
    }

    async fn record(&self, facts: Facts) -> Result<(), ApiError> {
        let draft = Draft::new(self.spool.clock().now(), facts);
        let appended = self.spool.append(draft).await;
        appended.map_err(|_| ApiError::NotRecorded)
    }
}

/// In one line that no terminal takes for commands: what a stranger sent is in it.
fn as_json(letter: &LetterBody) -> Result<String, StartError> {
    let json = serde_json::to_string(letter).map_err(StartError::failed)?;
    Ok(printable(&json))
}

impl Tally {
    fn lines(&self) -> Vec<String> {
        let verb = if self.dry_run { "would be done" } else { "done" };
        let mut lines = vec![format!("{} of {} {verb}", self.done, self.matched)];
        lines.extend(
            self.refused
                .iter()
                .map(|(reason, count)| format!("{count} stay: {reason}")),
        );
        lines
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Called {
        #[command(subcommand)]
        command: DeadLettersCommand,
    }

    #[test]
    fn an_empty_value_does_not_stand_for_all_of_them() {
        for option in ["--reason", "--publisher", "--from", "--to"] {
            for command in [&["drop", "--because", "x"][..], &["replay"], &["list"]] {
                let of = |value: &str| {
                    let line = ["dead-letters"].iter().chain(command).copied();
                    Called::try_parse_from(line.chain([option, value])).map(|called| called.command)
                };
                assert!(of("").is_err(), "{command:?} {option}");
            }
        }
        assert!(Called::try_parse_from(["dead-letters", "replay", "--reason", "malformed"]).is_ok());
    }
}
