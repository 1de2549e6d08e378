//! `auth-service block`.

use std::time::Duration;

use clap::{Args, Subcommand};
use shared::clock::UtcMicros;
use shared::runtime::cli::StartError;

use super::administer::{self, Blocked, NewBlock};
use super::store::Block;
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::Operator;

const COLUMNS: [&str; 6] = ["ID", "KIND", "VALUE", "REASON", "CREATED", "EXPIRES"];

/// What can be done with blocks.
#[derive(Debug, Subcommand)]
pub enum BlockCommand {
    /// Lists who is kept out
    List,
    /// Keeps somebody or something out at every door
    Add {
        #[command(flatten)]
        blocked: BlockedArgument,
        /// For how many minutes
        #[arg(long)]
        minutes: u64,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Lets in again who is kept out
    Lift {
        /// The block's id
        id: String,
    },
}

/// Exactly one of them.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct BlockedArgument {
    /// An address or a network such as 192.0.2.0/24
    #[arg(long)]
    address: Option<String>,
    /// The id of a user or a client
    #[arg(long)]
    subject: Option<String>,
    /// The id of a session (`sid`)
    #[arg(long)]
    session: Option<String>,
    /// The id of a token (`jti`)
    #[arg(long)]
    token: Option<String>,
    /// The id of a user that is to sign in again
    #[arg(long)]
    step_up: Option<String>,
}

impl BlockCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        let blocks = match self {
            Self::List => administer::list(app).await.map_err(failed)?,
            Self::Add {
                blocked,
                minutes,
                reason,
            } => {
                let named = [
                    blocked.address,
                    blocked.subject,
                    blocked.session,
                    blocked.token,
                    blocked.step_up,
                ];
                let blocked = Blocked::one_of(&named.each_ref().map(Option::as_deref)).map_err(failed)?;
                let new = NewBlock {
                    blocked,
                    reason,
                    lifetime: Duration::from_secs(minutes.saturating_mul(60)),
                    key: None,
                };
                let made = administer::create(app, &operator, new).await;
                vec![made.map_err(failed)?]
            }
            Self::Lift { id } => {
                administer::lift(app, &operator, &id).await.map_err(failed)?;
                return Ok(());
            }
        };
        printer.rows(&COLUMNS, blocks.into_iter().map(cells));
        Ok(())
    }
}

fn cells(block: Block) -> Vec<String> {
    vec![
        block.id,
        block.kind,
        block.value,
        block.reason,
        UtcMicros::from_micros(block.created_at).to_string(),
        UtcMicros::from_micros(block.expires_at).to_string(),
    ]
}
