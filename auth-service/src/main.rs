//! Starts auth-service.

use std::path::PathBuf;
use std::process::ExitCode;

use auth_service::settings::Settings;
use auth_service::{SERVICE, new_setup_token, run};
use clap::{Parser, Subcommand};
use shared::http::client;
use shared::runtime::cli::{self, StartError};
use shared::runtime::{shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Users, sessions and tokens of Gatelog.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A TOML file of settings; environment variables stand over it
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check the settings and do nothing else
    Check,
    /// Ask a running service whether it is ready
    Healthcheck {
        #[arg(default_value = "http://127.0.0.1:8081")]
        url: String,
    },
    /// Print a fresh one-time token for the first administrator, good for 15 minutes
    SetupToken,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::exit_code(SERVICE, start(Arguments::parse()).await)
}

async fn start(arguments: Arguments) -> Result<(), StartError> {
    if let Some(Command::Healthcheck { url }) = &arguments.command {
        return client::is_ready(url).await.map_err(StartError::failed);
    }
    let settings = Settings::load(arguments.config.as_deref())?;
    telemetry::start(&settings.process.log, settings.process.log_format);
    match arguments.command {
        Some(Command::Check | Command::Healthcheck { .. }) => cli::say("the settings are good"),
        Some(Command::SetupToken) => match new_setup_token(&settings).await? {
            Some(token) => cli::say(&token),
            None => return Err(StartError::failed("there is an administrator already")),
        },
        None => {
            let listener = cli::listen(settings.listen).await?;
            let shutdown = shutdown::on_signals().map_err(StartError::failed)?;
            run(settings, listener, shutdown).await?;
        }
    }
    Ok(())
}
