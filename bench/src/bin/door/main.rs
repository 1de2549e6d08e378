//! Measures the door from outside beside a bare handler, a bare proxy, HAProxy and nginx, all on one machine in one run.

mod baseline;
mod contender;
mod gatelog;
mod report;
mod rival;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::Outcome;
use clap::{Args, Parser, Subcommand};
use shared::runtime::cli::{StartError, exit_code};

use contender::Contender;
use report::Report;

/// Measures the door on this machine.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Measure, and print a table
    Measure(Measure),
    /// Be the baseline: a handler that answers at once
    Handler {
        /// Where to listen
        port: u16,
    },
    /// Be the baseline: a proxy that does nothing else
    Proxy {
        /// Where to listen
        port: u16,
        /// Where to forward to
        upstream: u16,
    },
}

#[derive(Args)]
struct Measure {
    /// The folder with the binaries to measure
    #[arg(long)]
    binaries: PathBuf,
    /// Seconds of each measurement
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// How often each measurement is made, in turn; the table has medians
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Connections that ask at the same time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Measure only what has this in its name
    #[arg(long, default_value = "")]
    only: String,
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Measure(arguments) => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(Into::into)
            .and_then(|runtime| runtime.block_on(measure(&arguments))),
        Command::Handler { port } => serve(baseline::handler(port)),
        Command::Proxy { port, upstream } => serve(baseline::proxy(port, upstream)),
    };
    exit_code(
        "bench/door",
        done.map_err(|error| StartError::failed(error.to_string())),
    )
}

/// Baselines run on all processors, as the door does.
fn serve(baseline: impl Future<Output = Outcome<()>>) -> Outcome<()> {
    tokio::runtime::Runtime::new()?.block_on(baseline)
}

async fn measure(arguments: &Measure) -> Outcome<()> {
    let mut report = Report::begin();
    let scene = contender::Scene::set(arguments).await?;
    let contenders: Vec<_> = scene
        .contenders()
        .into_iter()
        .filter(|contender| contender.name.contains(&arguments.only))
        .collect();
    let lasting = Duration::from_secs(arguments.seconds);
    for _ in 0..arguments.rounds {
        for Contender {
            name,
            server,
            requests,
        } in &contenders
        {
            let askers = contender::askers(server.port, requests, arguments.connections).await?;
            report.run(name, bench::load::run(server, askers, lasting).await?);
        }
    }
    report.print();
    Ok(())
}
