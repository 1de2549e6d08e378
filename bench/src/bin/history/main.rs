//! Measures how long the console waits for its answers when a month of events is stored: ten million of them in PostgreSQL.

mod desk;
mod fill;
mod plans;
mod questions;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use bench::Outcome;
use bench::statistics::machine;
use clap::Parser;
use shared::runtime::cli::{StartError, exit_code, say};
use sqlx::postgres::{PgConnectOptions, PgPool};

use desk::Desk;

/// Measures what the console asks. Start it by `bench/history`.
#[derive(Parser)]
struct Arguments {
    /// The folder with the binaries to measure
    #[arg(long)]
    binaries: PathBuf,
    /// Events that are stored
    #[arg(long, default_value_t = 10_000_000)]
    events: u64,
    /// How often each question is asked
    #[arg(long, default_value_t = 40)]
    rounds: usize,
    /// Ask only questions whose names contain this
    #[arg(long)]
    only: Option<String>,
    /// The file for the plans of what takes longer than the target
    #[arg(long)]
    plans: Option<PathBuf>,
    /// Write plans of what takes longer than so many milliseconds
    #[arg(long, default_value_t = 100)]
    plans_over: u64,
    /// Use this database of the server, and keep it; it is filled if it is not there yet
    #[arg(long, default_value = "history")]
    database: String,
    /// Stop when it is filled
    #[arg(long)]
    fill_only: bool,
}

fn main() -> ExitCode {
    let measured = tokio::runtime::Runtime::new()
        .map_err(Into::into)
        .and_then(|runtime| runtime.block_on(measure(&Arguments::parse())));
    exit_code(
        "bench/history",
        measured.map_err(|error| StartError::failed(error.to_string())),
    )
}

/// A variable that `scripts/lib/servers.sh` has set.
#[expect(
    clippy::disallowed_methods,
    reason = "the variables are the script's, and no settings"
)]
fn server(name: &str) -> Outcome<String> {
    Ok(std::env::var(format!("GATELOG_TEST_POSTGRES_{name}"))?)
}

async fn measure(arguments: &Arguments) -> Outcome<()> {
    say(&machine());
    let options: PgConnectOptions = server("URL")?.parse()?;
    let folder = tempfile::tempdir()?;
    let is_new = fill::create(&options, &arguments.database).await?;
    let options = options.database(&arguments.database);
    let pool = PgPool::connect_with(options.clone()).await?;
    if is_new {
        // Its tables, and nobody in them meanwhile.
        Desk::open(&arguments.binaries, &options, &folder.path().join("first"))
            .await?
            .close()?;
        fill::fill(&pool, arguments.events).await?;
    }
    let desk = Desk::open(&arguments.binaries, &options, &folder.path().join("second")).await?;
    fill::counted(&pool).await?;
    if arguments.fill_only {
        return desk.close();
    }
    let mut asked = questions::measure(&desk, &pool, (arguments.rounds, arguments.only.as_deref())).await?;
    if let Some(path) = &arguments.plans {
        asked.retain(|one| one.p95 > Duration::from_millis(arguments.plans_over));
        fs::write(path, plans::of(&desk, &pool, &asked).await?)?;
    }
    desk.close()
}
