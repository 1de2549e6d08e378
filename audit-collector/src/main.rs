//! Starts audit-collector.

use std::path::PathBuf;
use std::process::ExitCode;

use audit_collector::settings::{self, PREFIX, SERVICE, Settings};
use clap::{Parser, Subcommand};
use shared::http::client::is_ready;
use shared::http::traces::Traces;
use shared::runtime::cli::{StartError, exit_code, listen, own_url, say};
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

#[derive(Subcommand)]
enum Command {
    /// Checks the settings and says everything that is wrong with them.
    Check,
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
            Settings::load(config)?;
            say("the settings are good");
            Ok(())
        }
        None => {
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
    }
}
