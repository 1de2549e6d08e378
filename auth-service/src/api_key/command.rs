//! `auth-service api-key`.

use clap::Subcommand;
use shared::clock::UtcMicros;
use shared::event::Class;

use super::manage::{self, By, NewKey};
use crate::app::App;
use crate::client::secret::{EXPIRES_IN_DAYS_DEFAULT, Wanted};
use crate::command::{Printer, failed};
use crate::request::Operator;
use shared::runtime::cli::StartError;

/// What can be done with the API keys of users.
#[derive(Debug, Subcommand)]
pub enum ApiKeyCommand {
    /// Lists the keys of a user
    List {
        /// The user's id
        #[arg(long)]
        user: String,
    },
    /// Makes a key for a user and prints its secret, once
    Add {
        /// The user's id
        #[arg(long)]
        user: String,
        /// What it is for
        name: String,
        /// One of the user's scopes
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// Whom its tokens are for
        #[arg(long)]
        audience: Option<String>,
        /// Days for which it is good
        #[arg(long, default_value_t = EXPIRES_IN_DAYS_DEFAULT)]
        days: u16,
    },
    /// Deletes a key; its tokens are void
    Revoke {
        /// The key's id
        id: String,
    },
}

impl ApiKeyCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        let by = By {
            operator: &operator,
            class: Class::Admin,
        };
        match self {
            Self::List { user } => list(app, printer, &user).await?,
            Self::Add {
                user,
                name,
                scopes,
                audience,
                days,
            } => {
                let scopes: Result<_, _> = scopes.iter().map(|text| text.parse()).collect();
                let new = NewKey {
                    wanted: Wanted {
                        name,
                        expires_in_days: days,
                    },
                    scopes: scopes.map_err(StartError::failed)?,
                    audience,
                };
                let created = manage::create(app, &by, &user, None, &new)
                    .await
                    .map_err(failed)?;
                let row = vec![created.id, created.secret, created.expires_at.to_string()];
                printer.rows(&["ID", "SECRET", "EXPIRES"], [row]);
            }
            Self::Revoke { id } => manage::delete(app, &by, None, &id).await.map_err(failed)?,
        }
        Ok(())
    }
}

async fn list(app: &App, printer: Printer, user: &str) -> Result<(), StartError> {
    let time = |micros| UtcMicros::from_micros(micros).to_string();
    let keys = manage::list(app, user).await.map_err(failed)?;
    let rows = keys.into_iter().map(|(key, secret)| {
        let used = secret.as_ref().and_then(|secret| secret.last_used_at);
        vec![
            key.id,
            key.name,
            key.scopes.join(" "),
            key.audiences.join(" "),
            secret.map(|secret| time(secret.expires_at)).unwrap_or_default(),
            used.map(time).unwrap_or_default(),
        ]
    });
    printer.rows(
        &["ID", "NAME", "SCOPES", "AUDIENCE", "EXPIRES", "LAST USED"],
        rows,
    );
    Ok(())
}
