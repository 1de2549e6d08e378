//! Measures auth-service from outside: rates, processor time per operation, start and memory, each beside a baseline.

mod baseline;
mod report;
mod scenario;
mod service;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::Outcome;
use bench::load::Run;
use clap::Parser;
use shared::runtime::cli::{StartError, exit_code};

use baseline::Pages;
use report::Report;
use scenario::{Scenario, Stage};
use service::Service;

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
    for _ in 0..arguments.rounds {
        report.first_start(service::time_to_ready(arguments, true).await?);
        report.later_start(service::time_to_ready(arguments, false).await?);
    }
    let service = Service::start(arguments).await?;
    report.idle_memory(service.server.resident_bytes()?);
    let stage = Stage::prepare(&service).await?;
    let lasting = Duration::from_secs(arguments.seconds);
    for round in 0..arguments.rounds {
        for pages in [Pages::Huge, Pages::Ordinary] {
            report.hashes(pages, baseline::hash(lasting, pages)?);
        }
        for kind in Scenario::ALL {
            let first_user = round * arguments.connections;
            let askers = stage.askers(kind, first_user, arguments.connections).await?;
            report.run(kind, bench::load::run(&service.server, askers, lasting).await?);
        }
    }
    report.used_memory(service.server.resident_bytes()?);
    report.flood(watch_memory(arguments, &service, &stage).await?);
    report.print();
    service.server.stop()
}

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A flood and the memory that it took.
struct Flood {
    run: Run,
    peak_bytes: u64,
    connections: usize,
}

/// A flood of sign-ins, and the most memory that it took.
async fn watch_memory(arguments: &Arguments, service: &Service, stage: &Stage) -> Outcome<Flood> {
    let askers = stage.askers(Scenario::LogIn, 0, arguments.flood).await?;
    let running = bench::load::run(
        &service.server,
        askers,
        Duration::from_secs(arguments.seconds * 2),
    );
    tokio::pin!(running);
    let mut peak_bytes = 0;
    loop {
        tokio::select! {
            run = &mut running => {
                return Ok(Flood { run: run?, peak_bytes, connections: arguments.flood });
            }
            () = tokio::time::sleep(LOOK_EVERY) => {
                peak_bytes = peak_bytes.max(service.server.resident_bytes()?);
            }
        }
    }
}
