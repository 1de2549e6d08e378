//! `auth-service key`.

use clap::Subcommand;
use shared::runtime::cli::StartError;

use super::administer::{self, ShownKey};
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::Operator;

const COLUMNS: [&str; 5] = ["KID", "ALGORITHM", "STATE", "CREATED", "SIGNS FROM"];

/// What can be done with signing keys. Running replicas follow within seconds.
#[derive(Debug, Subcommand)]
pub enum KeyCommand {
    /// Lists every key and where it is in its life
    List,
    /// Lets the next key sign as soon as every verifier knows it
    Rotate {
        /// Only say which key would sign, and from when on
        #[arg(long)]
        dry_run: bool,
    },
    /// Takes a key out of service at once: every token that it signed is void
    Revoke {
        /// The key's id
        kid: String,
        /// Only say which key it is
        #[arg(long)]
        dry_run: bool,
    },
}

impl KeyCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        let keys = match self {
            Self::List => administer::list(app).await,
            Self::Rotate { dry_run } => administer::rotate(app, &operator, dry_run)
                .await
                .map(|key| vec![key]),
            Self::Revoke { kid, dry_run } => administer::revoke(app, &operator, &kid, dry_run)
                .await
                .map(|key| vec![key]),
        };
        printer.rows(&COLUMNS, keys.map_err(failed)?.into_iter().map(cells));
        Ok(())
    }
}

fn cells(key: ShownKey) -> Vec<String> {
    vec![
        key.kid,
        key.algorithm.to_string(),
        key.state.as_str().to_owned(),
        key.created_at.to_string(),
        key.signs_from
            .map_or_else(|| "when told to".to_owned(), |from| from.to_string()),
    ]
}
