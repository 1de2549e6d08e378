//! `auth-service lockout`.

use clap::Subcommand;
use shared::runtime::cli::StartError;

use super::Lockout;
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::Operator;

const COLUMNS: [&str; 5] = ["ID", "KIND", "SUBJECT", "FAILURES", "REFUSED UNTIL"];

/// What can be done with lockouts.
#[derive(Debug, Subcommand)]
pub enum LockoutCommand {
    /// Lists what refuses at the moment
    List,
    /// Lets it admit again
    Clear {
        /// The lockout's id
        lockout: String,
    },
}

impl LockoutCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        match self {
            Self::List => {
                let lockouts = super::list(app).await.map_err(failed)?;
                printer.rows(&COLUMNS, lockouts.into_iter().map(cells));
            }
            Self::Clear { lockout } => {
                super::clear(app, &Operator::command_line(), &lockout)
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn cells(lockout: Lockout) -> Vec<String> {
    vec![
        lockout.id,
        lockout.kind,
        lockout.subject.unwrap_or_default(),
        lockout.failures.to_string(),
        lockout.refused_until.to_string(),
    ]
}
