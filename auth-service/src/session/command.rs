//! `auth-service session`.

use clap::Subcommand;

use super::manage::{self, Shown};
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::Operator;
use shared::runtime::cli::StartError;

const COLUMNS: [&str; 7] = ["ID", "CLIENT", "AMR", "CREATED", "LAST USED", "ADDRESS", "DEVICE"];

/// What can be done with the sessions of others.
#[derive(Debug, Subcommand)]
pub enum SessionCommand {
    /// Lists the live sessions of a user
    List {
        /// The user's id
        #[arg(long)]
        user: String,
    },
    /// Ends a session, or all sessions of a user
    Revoke {
        /// The session's id
        #[arg(required_unless_present = "user", conflicts_with = "user")]
        session: Option<String>,
        /// The user's id, to end all of its sessions
        #[arg(long)]
        user: Option<String>,
        /// Only say what would end
        #[arg(long)]
        dry_run: bool,
    },
}

impl SessionCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let sessions = match self {
            Self::List { user } => manage::list(app, &user).await.map_err(failed)?,
            Self::Revoke {
                session,
                user,
                dry_run,
            } => {
                let target = manage::Ended {
                    session: session.as_deref(),
                    user: user.as_deref(),
                    decision: None,
                };
                manage::revoke(app, &Operator::command_line(), target, dry_run)
                    .await
                    .map_err(failed)?
            }
        };
        printer.rows(&COLUMNS, sessions.into_iter().map(cells));
        Ok(())
    }
}

fn cells(session: Shown) -> Vec<String> {
    vec![
        session.id,
        session.client_id,
        session.amr.join(" "),
        session.created.at.to_string(),
        session.last_used.at.to_string(),
        session.last_used.ip.unwrap_or_default(),
        session.last_used.device.unwrap_or_default(),
    ]
}
