//! `auth-service role`.

use clap::Subcommand;

use super::administer;
use super::name::{RoleName, Scope};
use super::store::Role;
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::{IfMatch, Operator};
use shared::runtime::cli::StartError;

/// What can be done with roles.
#[derive(Debug, Subcommand)]
pub enum RoleCommand {
    /// Lists every role with its scopes
    List,
    /// Makes a role
    #[command(name = "add")]
    Create {
        /// Its name
        name: String,
        /// Its scopes
        scopes: Vec<String>,
    },
    /// Gives a role these scopes in place of those it has
    SetScopes {
        /// Its name
        name: String,
        /// Its scopes from now on
        scopes: Vec<String>,
    },
    /// Deletes a role that nobody has
    Delete {
        /// Its name
        name: String,
    },
}

impl RoleCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        match self {
            Self::List => {
                let roles = administer::list(app).await.map_err(failed)?;
                printer.rows(&["ROLE", "SCOPES"], roles.into_iter().map(cells));
            }
            Self::Create { name, scopes } => {
                let name = name.parse::<RoleName>().map_err(StartError::failed)?;
                let scopes = read_scopes(&scopes)?;
                let role = administer::create(app, &operator, &name, &scopes)
                    .await
                    .map_err(failed)?;
                printer.rows(&["ROLE", "SCOPES"], [cells(role)]);
            }
            Self::SetScopes { name, scopes } => {
                let scopes = read_scopes(&scopes)?;
                let seen = administer::find(app, &name).await.map_err(failed)?;
                let change = (name.as_str(), IfMatch(seen.version));
                let role = administer::update(app, &operator, change, &scopes)
                    .await
                    .map_err(failed)?;
                printer.rows(&["ROLE", "SCOPES"], [cells(role)]);
            }
            Self::Delete { name } => {
                let seen = administer::find(app, &name).await.map_err(failed)?;
                administer::delete(app, &operator, &name, IfMatch(seen.version))
                    .await
                    .map_err(failed)?;
            }
        }
        Ok(())
    }
}

fn read_scopes(texts: &[String]) -> Result<std::collections::BTreeSet<Scope>, StartError> {
    texts
        .iter()
        .map(|text| text.parse::<Scope>().map_err(StartError::failed))
        .collect()
}

fn cells(role: Role) -> Vec<String> {
    vec![role.name, role.scopes]
}
