//! Starts all three services in one process.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use shared::http::traces::Traces;
use shared::runtime::cli::{StartError, exit_code, say};
use shared::runtime::shutdown::{self, CancellationToken};
use shared::runtime::telemetry;
use standalone::settings::Settings;
use standalone::{demo, start, tour};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Gatelog: a door and a logbook for web APIs, all in one process on SQLite.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The TOML file with the settings; `GATELOG_…` variables stand over it.
    #[arg(short, long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a few users and an API, sends honest and hostile requests, and shows what the log knows about them.
    Demo,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code("gatelog", run(Arguments::parse()).await)
}

async fn run(arguments: Arguments) -> Result<(), StartError> {
    let mut settings = Settings::load(arguments.config.as_deref())?;
    telemetry::start(&settings.log, settings.log_format);
    let shutdown = shutdown::on_signals().map_err(StartError::failed)?;
    settings.traces = Traces::of_process("gatelog").map_err(StartError::config)?;
    let traces = settings.traces.clone();
    let ended = serve(arguments.command, settings, shutdown).await;
    traces.close().await;
    ended
}

async fn serve(
    command: Option<Command>,
    settings: Settings,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    match command {
        Some(Command::Demo) => demo::run(settings, shutdown).await,
        None => {
            let running = tokio::select! {
                started = start(&settings) => started?,
                () = shutdown.cancelled() => return Ok(()),
            };
            say(&tour::text(
                &running.url,
                running.setup_token.as_deref(),
                &demo::fresh_password(),
            ));
            running.until(shutdown).await
        }
    }
}
