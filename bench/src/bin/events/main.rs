//! Measures the way of events from a full queue into the databases, beside the raw insertion of the same rows.

mod drain;
mod prepared;
mod queues;
mod raw;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;

use bench::Outcome;
use bench::statistics::machine;
use clap::Parser;
use shared::runtime::cli::{StartError, exit_code, say};

use drain::{Cost, Drain, Store};
use raw::Rows;
use servers::Servers;

/// Measures the way of events on this machine. Start it by `bench/events`.
#[derive(Parser)]
struct Arguments {
    /// The folder with the binaries to measure
    #[arg(long)]
    binaries: PathBuf,
    /// Events of each measurement
    #[arg(long, default_value_t = 100_000)]
    events: u64,
    /// Events of the backlog that one collector drains at the end; 0 for none
    #[arg(long, default_value_t = 1_000_000)]
    backlog: u64,
    /// Leave the kinds of queues out
    #[arg(long)]
    no_queues: bool,
}

fn main() -> ExitCode {
    let measured = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(measure(&Arguments::parse())));
    exit_code(
        "bench/events",
        measured.map_err(|error| StartError::failed(error.to_string())),
    )
}

async fn measure(arguments: &Arguments) -> Outcome<()> {
    let servers = Servers::find()?;
    say(&machine());
    if !arguments.no_queues {
        queues::measure(&servers, arguments.events / 2).await?;
    }
    say(&format!(
        "\n## From a full queue: {} events, unless said otherwise\n",
        arguments.events
    ));
    Cost::say_head();
    measure_postgres(arguments, &servers).await?;
    let sqlite = Drain::set(&servers, &arguments.binaries, "benchsqlite", false).await?;
    sqlite.run(arguments.events, 1).await?.say("SQLite, 1 collector");
    Ok(())
}

async fn measure_postgres(arguments: &Arguments, servers: &Servers) -> Outcome<()> {
    let drain = Drain::set(servers, &arguments.binaries, "benchpostgres", true).await?;
    let Store::Postgres { pool, .. } = &drain.store else {
        return Err("no PostgreSQL".into());
    };
    for collectors in [1, 2, 4] {
        let cost = drain.run(arguments.events, collectors).await?;
        cost.say(&format!("PostgreSQL, collectors: {collectors}"));
        drain::analyse(pool).await?;
    }
    if arguments.backlog > 0 {
        let cost = drain.run(arguments.backlog, 1).await?;
        cost.say(&format!(
            "PostgreSQL, 1 collector, a backlog of {}",
            arguments.backlog
        ));
        drain::analyse(pool).await?;
        let cost = drain.run(arguments.events, 1).await?;
        let before = 3 * arguments.events + arguments.backlog;
        cost.say(&format!("PostgreSQL, 1 collector, {before} stored before"));
    }
    let rows = Rows::read(pool, usize::try_from(arguments.events)?).await?;
    let cost = rows.insert(servers, pool).await?;
    cost.say("the same rows by bare UNNEST, 2 connections");
    Ok(())
}
