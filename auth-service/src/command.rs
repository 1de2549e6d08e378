//! What the binary does on command, beside serving. Commands work on the database, and a running service may go on meanwhile.

use std::path::Path;

use clap::Subcommand;
use serde_json::{Map, Value};
use shared::http::client;
use shared::runtime::cli::{self, StartError};

use crate::api_key::command::ApiKeyCommand;
use crate::app::App;
use crate::block::command::BlockCommand;
use crate::client::command::ClientCommand;
use crate::doctor::command::doctor;
use crate::error::ApiError;
use crate::outbox::command::OutboxCommand;
use crate::role::command::RoleCommand;
use crate::service::{Service, new_setup_token};
use crate::session::command::SessionCommand;
use crate::settings::Settings;
use crate::signing_key::command::KeyCommand;
use crate::throttle::command::LockoutCommand;
use crate::user::command::{UserCommand, recover_admin};

/// The commands of auth-service.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Check the settings and do nothing else
    Check,
    /// Look at the whole deployment: what is good, what is wrong and how to mend it; changes nothing
    Doctor,
    /// Ask a running service whether it is ready
    Healthcheck {
        /// Where it is
        #[arg(default_value = "http://127.0.0.1:8081")]
        url: String,
    },
    /// Print a fresh one-time token for the first administrator, good for 15 minutes
    SetupToken,
    /// Make an administrator who can sign in, whatever happened to the others, and print the link with which it sets its password
    RecoverAdmin {
        /// The name that it signs in with; a user of that name becomes one
        username: String,
    },
    /// Users: who may sign in
    #[command(subcommand)]
    User(UserCommand),
    /// Roles: what users may do
    #[command(subcommand)]
    Role(RoleCommand),
    /// Clients: who else may ask for tokens
    #[command(subcommand)]
    Client(ClientCommand),
    /// API keys: what users let programs do for them
    #[command(subcommand)]
    ApiKey(ApiKeyCommand),
    /// Sessions: who is signed in
    #[command(subcommand)]
    Session(SessionCommand),
    /// Blocks: who is kept out for a time
    #[command(subcommand)]
    Block(BlockCommand),
    /// Signing keys: what tokens are signed with
    #[command(subcommand)]
    Key(KeyCommand),
    /// Lockouts: who and what is refused because too much failed
    #[command(subcommand)]
    Lockout(LockoutCommand),
    /// The outbox: events that wait for the broker
    #[command(subcommand)]
    Outbox(OutboxCommand),
}

impl Command {
    /// Whether it is done with good settings only.
    pub const fn needs_settings(&self) -> bool {
        !matches!(self, Self::Doctor | Self::Healthcheck { .. })
    }

    /// Does what can be done whatever the settings are.
    pub async fn run_without_settings(&self, config: Option<&Path>, json: bool) -> Result<(), StartError> {
        match self {
            Self::Doctor => Box::pin(doctor(config, Printer { json })).await,
            Self::Healthcheck { url } => client::is_ready(url).await.map_err(StartError::failed),
            _ => Ok(()),
        }
    }

    /// Does it.
    pub async fn run(self, settings: &Settings, json: bool) -> Result<(), StartError> {
        match self {
            Self::Check | Self::Doctor | Self::Healthcheck { .. } => cli::say("the settings are good"),
            Self::SetupToken => match new_setup_token(settings).await? {
                Some(token) => cli::say(&token),
                None => return Err(StartError::failed("there is an administrator already")),
            },
            command => {
                let service = Service::open_for_command(settings).await?;
                command.run_on(service.app(), Printer { json }).await?;
                service.close().await;
            }
        }
        Ok(())
    }

    /// Does what is done on the database.
    async fn run_on(self, app: &App, printer: Printer) -> Result<(), StartError> {
        match self {
            Self::Check | Self::Doctor | Self::Healthcheck { .. } | Self::SetupToken => Ok(()),
            Self::RecoverAdmin { username } => recover_admin(app, printer, &username).await,
            Self::User(command) => command.run(app, printer).await,
            Self::Role(command) => command.run(app, printer).await,
            Self::Block(command) => command.run(app, printer).await,
            Self::Key(command) => command.run(app, printer).await,
            Self::Lockout(command) => command.run(app, printer).await,
            Self::Outbox(command) => command.run(app, printer).await,
            Self::Client(command) => command.run(app, printer).await,
            Self::ApiKey(command) => command.run(app, printer).await,
            Self::Session(command) => command.run(app, printer).await,
        }
    }
}

/// Prints what a command found: columns for people, JSON for machines.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Printer {
    json: bool,
}

impl Printer {
    /// Prints rows under their columns; as JSON a list of objects, one a line.
    pub(crate) fn rows(self, columns: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let rows: Vec<_> = rows.into_iter().collect();
        if self.json {
            for row in &rows {
                cli::say(&json_line(columns, row));
            }
            return;
        }
        for line in aligned(columns, &rows) {
            cli::say(&line);
        }
    }
}

fn json_line(columns: &[&str], row: &[String]) -> String {
    let name = |column: &str| column.to_lowercase().replace(' ', "_");
    let members: Map<String, Value> = columns
        .iter()
        .zip(row)
        .map(|(column, cell)| (name(column), Value::String(cell.clone())))
        .collect();
    Value::Object(members).to_string()
}

/// Every column as wide as its widest cell. What stands in cells was checked when it was stored; a control character in it
/// would be shown as it is escaped.
fn aligned(columns: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let escaped = |cell: &str| -> String {
        let shown = |c: char| {
            if c.is_control() {
                c.escape_default().to_string()
            } else {
                c.to_string()
            }
        };
        cell.chars().map(shown).collect()
    };
    let header = columns
        .iter()
        .map(|column| (*column).to_owned())
        .collect::<Vec<_>>();
    let lines: Vec<Vec<String>> = std::iter::once(header)
        .chain(
            rows.iter()
                .map(|row| row.iter().map(|cell| escaped(cell)).collect()),
        )
        .collect();
    let width = |index: usize| {
        let cells = lines.iter().filter_map(|line| line.get(index));
        cells.map(|cell| cell.chars().count()).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..columns.len()).map(width).collect();
    lines
        .iter()
        .map(|line| {
            let cells: Vec<_> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// What went wrong, for the one who gave the command.
pub(crate) fn failed(error: ApiError) -> StartError {
    StartError::failed(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them_and_show_no_control_characters() {
        let rows = [
            vec!["alice".to_owned(), "x".to_owned()],
            vec!["b\u{1b}[2J".to_owned(), String::new()],
        ];

        assert_eq!(
            aligned(&["NAME", "N"], &rows),
            ["NAME        N", "alice       x", "b\\u{1b}[2J"]
        );
        assert_eq!(
            json_line(&["NAME", "A B"], &rows[0]),
            r#"{"a_b":"x","name":"alice"}"#
        );
    }
}
