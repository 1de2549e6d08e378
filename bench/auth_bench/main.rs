//! Measures auth-service from outside: rates, processor time per operation, start and memory, each beside a baseline.

mod baseline;
mod http;
mod load;
mod report;
mod scenario;
mod server;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use shared::runtime::cli::{StartError, exit_code};

use load::Load;
use report::Report;
use scenario::Scenario;
use server::Server;

/// What goes wrong ends the run.
type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

/// Measures auth-service on SQLite, on this machine.
#[derive(Parser)]
struct Arguments {
    /// The binary to measure
    #[arg(long)]
    server: PathBuf,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How often each measurement is made, in turn; the table has medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Connections of the flood of sign-ins
    #[arg(long, default_value_t = 256)]
    flood: usize,
    /// A broker to publish to, `amqp://auth-service:…`; without one, events wait in the database
    #[arg(long)]
    broker_url: Option<String>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let measured = measure(&Arguments::parse()).await;
    exit_code(
        "bench/auth",
        measured.map_err(|error| StartError::failed(error.to_string())),
    )
}

async fn measure(arguments: &Arguments) -> Outcome<()> {
    let mut report = Report::default();
    report.machine();
    for _ in 0..arguments.rounds {
        report.first_start(server::time_to_ready(arguments, true).await?);
        report.later_start(server::time_to_ready(arguments, false).await?);
    }
    let server = Server::start(arguments).await?;
    report.idle_memory(server.resident_bytes()?);
    let stage = scenario::prepare(&server).await?;
    let load = Load {
        connections: arguments.connections,
        lasting: Duration::from_secs(arguments.seconds),
    };
    for _ in 0..arguments.rounds {
        report.hashes(baseline::hash(load.lasting)?);
        for kind in Scenario::ALL {
            if let Some(run) = load.run(&server, &stage, kind).await? {
                report.run(kind, run);
            }
        }
    }
    report.used_memory(server.resident_bytes()?);
    let flood = Load {
        connections: arguments.flood,
        lasting: Duration::from_secs(arguments.seconds * 2),
    };
    report.flood(flood.watch_memory(&server, &stage).await?);
    report.print();
    server.stop()
}
