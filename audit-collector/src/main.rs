//! Starts audit-collector.

use std::path::PathBuf;
use std::process::ExitCode;

use audit_collector::command::Command;
use audit_collector::settings::{SERVICE, Settings};
use clap::Parser;
use shared::http::traces::Traces;
use shared::runtime::cli::{StartError, exit_code, listen};
use shared::runtime::{shutdown, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stores every event, puts them in order, and answers what happened.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The TOML file with the settings; `GATELOG_COLLECTOR_…` variables stand over it.
    #[arg(short, long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(SERVICE, run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let config = arguments.config.as_deref();
    if let Some(command) = arguments.command {
        return command.run(config).await;
    }
    let mut settings = Settings::load(config)?;
    telemetry::start(&settings.process.log, settings.process.log_format);
    let listener = listen(settings.listen).await?;
    let shutdown = shutdown::on_signals().map_err(StartError::failed)?;
    let traces = Traces::of_process(SERVICE).map_err(StartError::config)?;
    settings.process.traces = traces.clone();
    let ended = audit_collector::run(settings, listener, shutdown).await;
    traces.close().await;
    ended
}
