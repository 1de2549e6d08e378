//! Starts auth-service.

use std::path::PathBuf;
use std::process::ExitCode;

use auth_service::command::Command;
use auth_service::settings::Settings;
use auth_service::{SERVICE, run};
use clap::Parser;
use shared::http::traces::Traces;
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
    /// Print what commands find as JSON, an object a line
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

#[tokio::main]
async fn main() -> ExitCode {
    cli::exit_code(SERVICE, Box::pin(start(Arguments::parse())).await)
}

async fn start(arguments: Arguments) -> Result<(), StartError> {
    if let Some(command) = arguments
        .command
        .as_ref()
        .filter(|command| !command.needs_settings())
    {
        let config = arguments.config.as_deref();
        return command.run_without_settings(config, arguments.json).await;
    }
    let mut settings = Settings::load(arguments.config.as_deref())?;
    telemetry::start(&settings.process.log, settings.process.log_format);
    if let Some(command) = arguments.command {
        return command.run(&settings, arguments.json).await;
    }
    let listener = cli::listen(settings.listen).await?;
    let shutdown = shutdown::on_signals().map_err(StartError::failed)?;
    let traces = Traces::of_process(SERVICE).map_err(StartError::config)?;
    settings.process.traces = traces.clone();
    let ended = run(settings, listener, shutdown).await;
    traces.close().await;
    ended
}
