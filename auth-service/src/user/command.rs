//! `auth-service user` and `auth-service recover-admin`.

use std::collections::BTreeSet;

use clap::Subcommand;
use shared::clock::UtcMicros;

use super::Username;
use super::administer::{self, Change, PasswordToken};
use super::recover;
use super::store::{Filter, ShownUser};
use crate::app::App;
use crate::command::{Printer, failed};
use crate::error::ApiError;
use crate::password;
use crate::request::{IfMatch, Operator, PageQuery};
use shared::runtime::cli::StartError;

const COLUMNS: [&str; 7] = ["ID", "NAME", "ROLES", "DISABLED", "PASSWORD", "MFA", "CREATED"];

/// What can be done with users. A user is named by its id or its name.
#[derive(Debug, Subcommand)]
pub enum UserCommand {
    /// Makes a user and prints the link with which it sets its password, once, within a day
    Add {
        /// The name that it signs in with
        username: String,
        /// Its roles
        #[arg(long = "role")]
        roles: Vec<String>,
    },
    /// Lists users by name
    List {
        /// How their names begin
        #[arg(long, default_value = "")]
        prefix: String,
        /// The role that they have
        #[arg(long, default_value = "")]
        role: String,
    },
    /// Shows one user
    Show {
        /// Its id or name
        user: String,
    },
    /// Gives a user these roles in place of those it has
    SetRoles {
        /// Its id or name
        user: String,
        /// Its roles from now on
        roles: Vec<String>,
    },
    /// Gives a user one more role
    Grant {
        /// Its id or name
        user: String,
        /// The role
        role: String,
    },
    /// Takes a role away from a user
    Revoke {
        /// Its id or name
        user: String,
        /// The role
        role: String,
    },
    /// Lets a user sign in no more and ends its sessions
    Disable {
        /// Its id or name
        user: String,
    },
    /// Lets a disabled user sign in again
    Enable {
        /// Its id or name
        user: String,
    },
    /// Deletes a user; its name stays taken
    Delete {
        /// Its id or name
        user: String,
    },
    /// Removes the second factor of a user who has lost it, and ends its sessions
    ResetMfa {
        /// Its id or name
        user: String,
    },
    /// Prints a link with which a user sets a new password, once, within a day
    ResetPassword {
        /// Its id or name
        user: String,
    },
}

impl UserCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        match self {
            Self::Add { username, roles } => add(app, &operator, printer, username, roles).await,
            Self::List { prefix, role } => list(app, printer, &prefix, &role).await,
            Self::Show { user } => {
                let user = find(app, &user).await?;
                printer.rows(&COLUMNS, [cells(user)]);
                Ok(())
            }
            Self::SetRoles { user, roles } => {
                change(app, &operator, printer, &user, |_| {
                    roles_only(roles.into_iter().collect())
                })
                .await
            }
            Self::Grant { user, role } => {
                let with = |roles: BTreeSet<String>| roles_only(roles.into_iter().chain([role]).collect());
                change(app, &operator, printer, &user, with).await
            }
            Self::Revoke { user, role } => {
                let without = |roles: BTreeSet<String>| {
                    roles_only(roles.into_iter().filter(|own| *own != role).collect())
                };
                change(app, &operator, printer, &user, without).await
            }
            Self::Disable { user } => change(app, &operator, printer, &user, |_| disabled_only(true)).await,
            Self::Enable { user } => change(app, &operator, printer, &user, |_| disabled_only(false)).await,
            Self::Delete { user } => {
                let user = find(app, &user).await?;
                let deleting = administer::delete(app, &operator, &user.id, IfMatch(user.version));
                deleting.await.map_err(failed)
            }
            Self::ResetMfa { user } => {
                let user = find(app, &user).await?;
                let seen = IfMatch(user.version);
                let removing = administer::reset_second_factor(app, &operator, &user.id, seen);
                removing.await.map_err(failed)
            }
            Self::ResetPassword { user } => {
                let user = find(app, &user).await?;
                let token = administer::reset_password(app, &operator, &user.id)
                    .await
                    .map_err(failed)?;
                print_link(app, printer, (&user.id, &token));
                Ok(())
            }
        }
    }
}

/// Makes an administrator who can sign in, whatever happened to the others, and prints the link with which it sets its password.
pub(crate) async fn recover_admin(app: &App, printer: Printer, username: &str) -> Result<(), StartError> {
    let username = Username::try_from(username.to_owned()).map_err(StartError::failed)?;
    let operator = Operator::command_line();
    let (id, token) = recover::recover_admin(app, &operator, &username)
        .await
        .map_err(failed)?;
    print_link(app, printer, (&id, &token));
    Ok(())
}

async fn add(
    app: &App,
    operator: &Operator,
    printer: Printer,
    username: String,
    roles: Vec<String>,
) -> Result<(), StartError> {
    let username = Username::try_from(username).map_err(StartError::failed)?;
    let roles = roles.into_iter().collect();
    let created = administer::create(app, operator, &username, &roles)
        .await
        .map_err(failed)?;
    print_link(app, printer, (&created.id, &created.password));
    Ok(())
}

async fn list(app: &App, printer: Printer, prefix: &str, role: &str) -> Result<(), StartError> {
    let mut page = PageQuery::default();
    let mut rows = Vec::new();
    loop {
        let (users, next) = administer::list(app, &page, Filter { prefix, role })
            .await
            .map_err(failed)?;
        rows.extend(users.into_iter().map(cells));
        if next.is_none() {
            printer.rows(&COLUMNS, rows);
            return Ok(());
        }
        page.cursor = next;
    }
}

fn roles_only(roles: BTreeSet<String>) -> Change {
    Change {
        roles: Some(roles),
        disabled: None,
    }
}

fn disabled_only(disabled: bool) -> Change {
    Change {
        roles: None,
        disabled: Some(disabled),
    }
}

/// Changes a user by what its roles are now.
async fn change(
    app: &App,
    operator: &Operator,
    printer: Printer,
    user: &str,
    change: impl FnOnce(BTreeSet<String>) -> Change,
) -> Result<(), StartError> {
    let user = find(app, user).await?;
    let change = change(user.roles.into_iter().collect());
    let seen = (user.id.as_str(), IfMatch(user.version));
    let changed = administer::update(app, operator, seen, &change)
        .await
        .map_err(failed)?;
    printer.rows(&COLUMNS, [cells(changed)]);
    Ok(())
}

async fn find(app: &App, user: &str) -> Result<ShownUser, StartError> {
    let found = administer::find_by_id_or_name(app, user).await;
    found.map_err(|error| match error {
        ApiError::NotFound => StartError::failed("there is no such user"),
        error => failed(error),
    })
}

fn print_link(app: &App, printer: Printer, (id, token): (&str, &PasswordToken)) {
    let link = password::link(&app.mint_rules.issuer, &token.token);
    let row = vec![id.to_owned(), link, token.expires_at.to_string()];
    printer.rows(&["ID", "PASSWORD LINK", "EXPIRES"], [row]);
}

fn cells(user: ShownUser) -> Vec<String> {
    vec![
        user.id,
        user.username,
        user.roles.join(" "),
        user.disabled.to_string(),
        user.has_password.to_string(),
        user.has_second_factor.to_string(),
        UtcMicros::from_micros(user.created_at).to_string(),
    ]
}
