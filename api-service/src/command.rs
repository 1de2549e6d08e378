//! What the binary does on command, beside serving.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue, Method};
use shared::http::client::{is_ready, pooled_client};
use shared::runtime::cli::{StartError, own_url, say};
use shared::spool::inspect::{self as spool, Inspection};
use uuid::Uuid;

use crate::inspect::{self, Destination, Question};
use crate::settings::{self, PREFIX, Settings};

/// The commands of api-service.
#[derive(Subcommand)]
pub enum Command {
    /// Checks the settings and the policy file and says everything that is wrong with them.
    Check,
    /// Says what the door would do with a request, and why; asks nobody but the issuers for their keys.
    Explain {
        /// Its method, such as GET.
        method: Method,
        /// Its path, such as /v1/orders/7.
        path: String,
        /// A file with the token; `@` before its name is allowed. Tokens do not belong on a command line.
        #[arg(long)]
        token: Option<PathBuf>,
        /// The host that it asks for; the issuer's if not given.
        #[arg(long)]
        host: Option<String>,
        /// The address that it comes from.
        #[arg(long, default_value = "127.0.0.1")]
        ip: IpAddr,
    },
    /// Says who gains and who loses access by a change of the policy file; ends with 1 if anybody does.
    Diff {
        /// The policy file as it was.
        old: PathBuf,
        /// The policy file as it will be.
        new: PathBuf,
    },
    /// Prints routes for a policy file from an OpenAPI 3 description in YAML or JSON.
    Import {
        /// The description.
        file: PathBuf,
        /// The name of the upstream that they lead to.
        #[arg(long)]
        to: String,
        /// The host that they stand on.
        #[arg(long)]
        host: Option<String>,
    },
    /// Says what waits in the folders of the spool, beside a running service or without one; ends with 1 if some of it cannot be read.
    Spool {
        /// `list`, a line for each folder; `show`, the events, one a line; `verify`, as `list`.
        #[arg(default_value = "list")]
        what: Inspection,
        /// The boot whose folder it is about; all if not given.
        boot: Option<Uuid>,
    },
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
            Self::Healthcheck { url } => {
                let url = url.map_or_else(|| own_url(PREFIX, config, &settings::LISTEN), Ok)?;
                is_ready(&url).await.map_err(StartError::failed)
            }
            Self::Check => {
                let settings = Settings::load(config)?;
                let is_asked = !settings.decide_peers.is_empty();
                say_all(&inspect::notes(&settings.gate.policy, is_asked));
                say("the settings and the policy are good");
                Ok(())
            }
            Self::Spool { what, boot } => spool::command(PREFIX, config, settings::SERVICE, (what, boot)),
            Self::Explain {
                method,
                path,
                token,
                host,
                ip,
            } => {
                let question = Question {
                    method,
                    path,
                    host,
                    headers: headers_with(token.as_deref())?,
                    ip,
                };
                explain(config, &question).await
            }
            Self::Diff { old, new } => diff(config, &old, &new),
            Self::Import { file, to, host } => import(
                &file,
                &Destination {
                    upstream: &to,
                    host: host.as_deref(),
                },
            ),
        }
    }
}

async fn explain(config: Option<&Path>, question: &Question) -> Result<(), StartError> {
    let settings = Settings::load(config)?.gate;
    let client = pooled_client().map_err(StartError::failed)?;
    say_all(&inspect::explain(settings.policy, question, &client, settings.clock).await);
    Ok(())
}

fn diff(config: Option<&Path>, old: &Path, new: &Path) -> Result<(), StartError> {
    let source = Settings::load(config)?.gate.policy.source;
    let load = |file: &Path| {
        let loaded = source.of(file).load();
        loaded.map_err(|error| StartError::config(error.0.join("\n")))
    };
    let lines = inspect::diff(&load(old)?, &load(new)?);
    say_all(&lines);
    if lines.is_empty() {
        say("nobody gains or loses access");
        Ok(())
    } else {
        Err(StartError::failed("access changes"))
    }
}

fn import(file: &Path, destination: &Destination<'_>) -> Result<(), StartError> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| StartError::failed(format!("cannot read {}: {error}", file.display())))?;
    say(&inspect::import(&text, destination).map_err(StartError::failed)?);
    Ok(())
}

fn say_all(lines: &[String]) {
    for line in lines {
        say(line);
    }
}

/// The headers of a request with the token in `file`.
fn headers_with(file: Option<&Path>) -> Result<HeaderMap, StartError> {
    let mut headers = HeaderMap::new();
    if let Some(file) = file {
        let named = file.to_string_lossy();
        let path = named.strip_prefix('@').unwrap_or(&named);
        let token = std::fs::read_to_string(path)
            .map_err(|error| StartError::failed(format!("cannot read {path}: {error}")))?;
        let value = HeaderValue::try_from(format!("Bearer {}", token.trim()))
            .map_err(|_| StartError::failed(format!("{path} holds no token")))?;
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}
