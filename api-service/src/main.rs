//! Starts api-service.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api_service::inspect::{self, Question};
use api_service::settings::{self, PREFIX, SERVICE, Settings};
use clap::{Parser, Subcommand};
use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use shared::http::client::{is_ready, pooled_client};
use shared::runtime::cli::{StartError, exit_code, listen, own_url, say};
use shared::runtime::{shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The door: verifies tokens, decides, forwards, and publishes one event for every request.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The TOML file with the settings; `GATELOG_API_…` variables stand over it.
    #[arg(short, long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Checks the settings and the policy file and says everything that is wrong with them.
    Check,
    /// Says what the door would do with a request, and why; asks nobody but the issuers for their keys.
    Explain {
        /// Its method, such as GET.
        method: http::Method,
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
    /// Asks a running service whether it is ready; for containers.
    Healthcheck {
        /// Where it is; by default the address it listens on.
        url: Option<String>,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(SERVICE, run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let config = arguments.config.as_deref();
    match arguments.command {
        Some(Command::Healthcheck { url }) => {
            let url = url.map_or_else(|| own_url(PREFIX, config, &settings::LISTEN), Ok)?;
            is_ready(&url).await.map_err(StartError::failed)
        }
        Some(Command::Check) => {
            let settings = Settings::load(config)?;
            say_all(&inspect::notes(&settings.policy));
            say("the settings and the policy are good");
            Ok(())
        }
        Some(Command::Explain {
            method,
            path,
            token,
            host,
            ip,
        }) => {
            let question = Question {
                method,
                path,
                host,
                headers: headers_with(token.as_deref())?,
                ip,
            };
            let settings = Settings::load(config)?;
            let client = pooled_client().map_err(StartError::failed)?;
            let lines = inspect::explain(settings.policy, &question, &client, settings.clock).await;
            say_all(&lines);
            Ok(())
        }
        Some(Command::Diff { old, new }) => {
            let source = Settings::load(config)?.policy.source;
            let load = |file: &Path| {
                source
                    .of(file)
                    .load()
                    .map_err(|error| StartError::config(error.0.join("\n")))
            };
            let lines = inspect::diff(&load(&old)?, &load(&new)?);
            say_all(&lines);
            if lines.is_empty() {
                say("nobody gains or loses access");
                Ok(())
            } else {
                Err(StartError::failed("access changes"))
            }
        }
        None => {
            let settings = Settings::load(config)?;
            telemetry::start(&settings.process.log, settings.process.log_format);
            let listener = listen(settings.listen).await?;
            let shutdown = shutdown::on_signals().map_err(StartError::failed)?;
            api_service::run(settings, listener, shutdown).await
        }
    }
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
