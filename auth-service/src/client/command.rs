//! `auth-service client`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;

use super::administer;
use super::body::grant_types;
use super::model::{Client, Kind};
use super::registration::Registration;
use super::secret::{EXPIRES_IN_DAYS_DEFAULT, Wanted};
use crate::app::App;
use crate::command::{Printer, failed};
use crate::request::{IfMatch, Operator, PageQuery};
use crate::role::Scope;
use shared::clock::UtcMicros;
use shared::runtime::cli::StartError;

const COLUMNS: [&str; 7] = ["ID", "NAME", "KIND", "GRANTS", "SCOPES", "AUDIENCES", "DISABLED"];

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub enum ClientCommand {
    /// Registers a client
    Add {
        /// Its name, which people see
        name: String,
        /// It cannot keep a secret
        #[arg(long)]
        public: bool,
        /// It is yours: nobody is asked whether it may
        #[arg(long)]
        first_party: bool,
        /// A way to get tokens: `client_credentials`, `authorization_code`, `refresh_token`
        #[arg(long = "grant", default_value = "client_credentials")]
        grants: Vec<String>,
        /// An address that browsers are sent back to
        #[arg(long = "redirect-uri")]
        redirect_uris: Vec<String>,
        /// A scope that its tokens may have
        #[arg(long = "scope")]
        scopes: Vec<String>,
        /// Whom its tokens may be for; the first is meant if it asks for none
        #[arg(long = "audience", default_value = "gatelog")]
        audiences: Vec<String>,
        /// A file with its public keys (JWK set), if it proves by them who it is
        #[arg(long)]
        jwks: Option<PathBuf>,
    },
    /// Changes a client: what is given takes the place of what it has, and voids its tokens if that is less
    Update {
        /// Its id
        id: String,
        #[command(flatten)]
        change: ClientChange,
    },
    /// Lists every client
    List,
    /// Shows a client
    Show {
        /// Its id
        id: String,
    },
    /// Lists the secrets of a client, but for what makes them such
    Secrets {
        /// Its id
        id: String,
    },
    /// Lets a client have no tokens any more; those that it has are void
    Disable {
        /// Its id
        id: String,
    },
    /// Lets a client have tokens again
    Enable {
        /// Its id
        id: String,
    },
    /// Deletes a client with its secrets; its tokens are void
    Delete {
        /// Its id
        id: String,
    },
    /// Makes a secret and prints it, once
    SecretAdd {
        /// The client's id
        id: String,
        /// What it is for, to tell it from the other one
        #[arg(long, default_value = "command line")]
        name: String,
        /// Days for which it is good
        #[arg(long, default_value_t = EXPIRES_IN_DAYS_DEFAULT)]
        days: u16,
    },
    /// Deletes a secret, which is not good from now on
    SecretRevoke {
        /// The client's id
        id: String,
        /// The secret's id
        secret: String,
    },
}

/// What a client is to have; what is not given stays.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub struct ClientChange {
    /// Its name, which people see
    #[arg(long)]
    name: Option<String>,
    /// Whether it is yours, so that nobody is asked whether it may
    #[arg(long)]
    first_party: Option<bool>,
    /// A way to get tokens
    #[arg(long = "grant")]
    grants: Vec<String>,
    /// An address that browsers are sent back to
    #[arg(long = "redirect-uri")]
    redirect_uris: Vec<String>,
    /// A scope that its tokens may have
    #[arg(long = "scope")]
    scopes: Vec<String>,
    /// Whom its tokens may be for; the first is meant if it asks for none
    #[arg(long = "audience")]
    audiences: Vec<String>,
    /// A file with its public keys (JWK set)
    #[arg(long)]
    jwks: Option<PathBuf>,
}

impl ClientChange {
    async fn make(self, app: &App, id: &str) -> Result<Client, StartError> {
        let (client, _) = administer::read(app, id).await.map_err(not_found)?;
        let given = |texts: Vec<String>| (!texts.is_empty()).then_some(texts);
        let grants = given(self.grants).map(|grants| grant_types(&grants)).transpose();
        let (grants, scopes) = (
            grants.map_err(failed)?,
            given(self.scopes).map(|texts| scopes_of(&texts)),
        );
        let (scopes, jwks) = (
            scopes.transpose()?,
            self.jwks.as_deref().map(read_keys).transpose()?,
        );
        let change = |was: Registration| {
            let registration = Registration {
                name: self.name.unwrap_or(was.name),
                kind: was.kind,
                is_first_party: self.first_party.unwrap_or(was.is_first_party),
                grant_types: grants.unwrap_or(was.grant_types),
                redirect_uris: given(self.redirect_uris).unwrap_or(was.redirect_uris),
                scopes: scopes.unwrap_or(was.scopes),
                audiences: given(self.audiences).unwrap_or(was.audiences),
                jwks: jwks.or(was.jwks),
            };
            (registration, None)
        };
        let (operator, seen) = (Operator::command_line(), (id, IfMatch(client.version)));
        let changing = administer::update(app, &operator, seen, change);
        changing.await.map_err(failed)
    }
}

impl ClientCommand {
    pub(crate) async fn run(self, app: &App, printer: Printer) -> Result<(), StartError> {
        let operator = Operator::command_line();
        match self {
            Self::Add { .. } => {
                let registration = self.registration()?;
                let client = administer::create(app, &operator, registration)
                    .await
                    .map_err(failed)?;
                printer.rows(&COLUMNS, [cells(client)]);
            }
            Self::Update { id, change } => {
                let client = change.make(app, &id).await?;
                printer.rows(&COLUMNS, [cells(client)]);
            }
            Self::List => list(app, printer).await?,
            Self::Show { id } => {
                let (client, _) = administer::read(app, &id).await.map_err(not_found)?;
                printer.rows(&COLUMNS, [cells(client)]);
            }
            Self::Secrets { id } => show_secrets(app, printer, &id).await?,
            Self::Disable { id } => set_disabled(app, printer, &id, true).await?,
            Self::Enable { id } => set_disabled(app, printer, &id, false).await?,
            Self::Delete { id } => {
                let (client, _) = administer::read(app, &id).await.map_err(not_found)?;
                administer::delete(app, &operator, &id, IfMatch(client.version))
                    .await
                    .map_err(failed)?;
            }
            Self::SecretAdd { id, name, days } => {
                let wanted = Wanted {
                    name,
                    expires_in_days: days,
                };
                let created = administer::add_secret(app, &operator, &id, &wanted)
                    .await
                    .map_err(not_found)?;
                let row = vec![created.id, created.secret, created.expires_at.to_string()];
                printer.rows(&["ID", "SECRET", "EXPIRES"], [row]);
            }
            Self::SecretRevoke { id, secret } => administer::delete_secret(app, &operator, &id, &secret)
                .await
                .map_err(not_found)?,
        }
        Ok(())
    }

    fn registration(self) -> Result<Registration, StartError> {
        let Self::Add {
            name,
            public,
            first_party,
            grants,
            redirect_uris,
            scopes,
            audiences,
            jwks,
        } = self
        else {
            return Err(StartError::failed("this registers nothing"));
        };
        Ok(Registration {
            name,
            kind: if public { Kind::Public } else { Kind::Confidential },
            is_first_party: first_party,
            grant_types: grant_types(&grants).map_err(failed)?,
            redirect_uris,
            scopes: scopes_of(&scopes)?,
            audiences,
            jwks: jwks.as_deref().map(read_keys).transpose()?,
        })
    }
}

fn scopes_of(texts: &[String]) -> Result<BTreeSet<Scope>, StartError> {
    let scopes: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
    scopes.map_err(StartError::failed)
}

/// What stands in a file of keys; whether they are usable is found where all registrations are.
fn read_keys(path: &Path) -> Result<Value, StartError> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| StartError::failed(format!("cannot read {shown}: {error}")))?;
    serde_json::from_str(&text).map_err(|error| StartError::failed(format!("{shown} is not JSON: {error}")))
}

async fn list(app: &App, printer: Printer) -> Result<(), StartError> {
    let mut page = PageQuery::default();
    let mut rows = Vec::new();
    loop {
        let (clients, next) = administer::list(app, &page).await.map_err(failed)?;
        rows.extend(clients.into_iter().map(cells));
        if next.is_none() {
            printer.rows(&COLUMNS, rows);
            return Ok(());
        }
        page.cursor = next;
    }
}

async fn show_secrets(app: &App, printer: Printer, id: &str) -> Result<(), StartError> {
    let (_, secrets) = administer::read(app, id).await.map_err(not_found)?;
    let time = |micros| UtcMicros::from_micros(micros).to_string();
    let rows = secrets.into_iter().map(|secret| {
        let used = secret.last_used_at.map(time).unwrap_or_default();
        vec![
            secret.id,
            secret.name,
            time(secret.created_at),
            time(secret.expires_at),
            used,
        ]
    });
    printer.rows(&["ID", "NAME", "CREATED", "EXPIRES", "LAST USED"], rows);
    Ok(())
}

async fn set_disabled(app: &App, printer: Printer, id: &str, disabled: bool) -> Result<(), StartError> {
    let (client, _) = administer::read(app, id).await.map_err(not_found)?;
    let seen = (id, IfMatch(client.version));
    let change = |registration| (registration, Some(disabled));
    let client = administer::update(app, &Operator::command_line(), seen, change)
        .await
        .map_err(failed)?;
    printer.rows(&COLUMNS, [cells(client)]);
    Ok(())
}

fn not_found(error: crate::error::ApiError) -> StartError {
    match error {
        crate::error::ApiError::NotFound => StartError::failed("there is no such client or secret"),
        error => failed(error),
    }
}

fn cells(client: Client) -> Vec<String> {
    let grants: Vec<_> = client.grant_types.iter().map(|grant| grant.as_str()).collect();
    vec![
        client.id,
        client.name,
        client.kind.as_str().to_owned(),
        grants.join(" "),
        client.scopes.join(" "),
        client.audiences.join(" "),
        client.disabled.to_string(),
    ]
}
