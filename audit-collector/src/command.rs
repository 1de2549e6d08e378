//! What the binary does on command, beside serving.

use std::path::Path;

use clap::Subcommand;
use shared::http::client::is_ready;
use shared::runtime::cli::{StartError, own_url, say};
use shared::spool::inspect::{self as spool, Inspection};
use uuid::Uuid;

use crate::completeness::CompletenessCommand;
use crate::dead_letter::DeadLettersCommand;
use crate::detection::RulesCommand;
use crate::export::ExportCommand;
use crate::import::ImportCommand;
use crate::notification::NotifyCommand;
use crate::retention::RetentionCommand;
use crate::settings::{self, PREFIX, Settings};

/// The commands of audit-collector.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Checks the settings and says everything that is wrong with them.
    Check,
    /// Says whether a period of the log is complete, or what is missing of whom; ends with 1 if it is not.
    Completeness(CompletenessCommand),
    /// Writes events into a file, and beside it a manifest with its range, count and SHA-256.
    Export(ExportCommand),
    /// Appends the log of another program: access logs of nginx, Apache httpd, Caddy and Envoy, or events of our own.
    Import(ImportCommand),
    /// Removes what has been kept for long enough, and holds what is to be kept longer.
    Retention(RetentionCommand),
    /// Lists, shows, replays and drops what came and is no event.
    #[command(subcommand)]
    DeadLetters(DeadLettersCommand),
    /// Says what waits in the folders of the spool, beside a running service or without one; ends with 1 if some of it cannot be read.
    Spool {
        /// `list`, a line for each folder; `show`, the events, one a line; `verify`, as `list`.
        #[arg(default_value = "list")]
        what: Inspection,
        /// The boot whose folder it is about; all if not given.
        boot: Option<Uuid>,
    },
    /// Checks, tests and tries detection rules.
    Rules {
        /// What is done.
        #[command(subcommand)]
        command: RulesCommand,
    },
    /// Sees whether those who are told of alerts can be reached.
    #[command(subcommand)]
    Notify(NotifyCommand),
    /// Asks a running service whether it is ready; for containers.
    Healthcheck {
        /// Where it is; by default the address it listens on.
        url: Option<String>,
    },
}

impl Command {
    /// Does it, with the settings of the file at `config`, if any, and of the environment.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        match self {
            Self::Spool { what, boot } => spool::command(PREFIX, config, settings::SERVICE, (what, boot)),
            Self::Healthcheck { url } => {
                let url = url.map_or_else(|| own_url(PREFIX, config, &settings::LISTEN), Ok)?;
                is_ready(&url).await.map_err(StartError::failed)
            }
            Self::Export(command) => command.run(config).await,
            Self::Retention(command) => command.run(config).await,
            Self::Import(command) => command.run(config).await,
            Self::Completeness(command) => command.run(config).await,
            Self::Rules { command } => command.run(config).await,
            Self::DeadLetters(command) => command.run(config).await,
            Self::Notify(command) => command.run(config).await,
            Self::Check => {
                Settings::load(config)?;
                say("the settings are good");
                Ok(())
            }
        }
    }
}
