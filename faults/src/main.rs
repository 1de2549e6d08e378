//! Starts the fault runner; `scripts/faults` does so with a database server beside it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, ValueEnum as _};
use faults::Outcome;
use faults::database::Postgres;
use faults::deployment::Deployment;
use faults::fault::Fault;
use faults::report::HEAD;
use faults::run::Run;
use shared::runtime::cli::{StartError, exit_code, say};
use shared::runtime::shutdown;

/// Breaks a deployment on purpose, and checks that every answered request is one stored event.
#[derive(Parser)]
struct Arguments {
    /// The folder with the programs
    #[arg(long)]
    binaries: PathBuf,
    /// What decides when faults happen and to whom; as many as are given, each a run of its own
    #[arg(long = "seed", default_values_t = [1, 2, 3])]
    seeds: Vec<u64>,
    /// Kinds of faults (separated by commas) each alone, `each` for every kind, `together`, or `all` for both
    #[arg(long = "fault", default_value = "all", value_delimiter = ',')]
    faults: Vec<String>,
    /// How long faults are begun in each run
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// Requests a second
    #[arg(long, default_value_t = 60)]
    rate: u32,
}

#[tokio::main]
async fn main() -> ExitCode {
    exit_code("faults", run_until_stopped(&Arguments::parse()).await)
}

/// Told to stop, it still takes everything down that it has started.
async fn run_until_stopped(arguments: &Arguments) -> Result<(), StartError> {
    let stopped = shutdown::on_signals().map_err(StartError::failed)?;
    tokio::select! {
        done = run(arguments) => done.map_err(|error| StartError::failed(error.to_string())),
        () = stopped.cancelled() => Err(StartError::failed("stopped")),
    }
}

async fn run(arguments: &Arguments) -> Outcome<()> {
    let postgres = Postgres::find().ok_or("there is no database server; use scripts/faults")?;
    let mut failed = Vec::new();
    say(HEAD);
    for (nodes, runs) in [(1, runs(arguments, false)?), (3, runs(arguments, true)?)] {
        if runs.is_empty() {
            continue;
        }
        let mut deployment = Deployment::start(&arguments.binaries, postgres.clone(), nodes).await?;
        let before = failed.len();
        for run in runs {
            match run.on(&deployment).await {
                Ok(row) => {
                    say(&row.line());
                    if !row.is_good() {
                        failed.push(row.complaint());
                    }
                }
                Err(error) => failed.push(format!("{} with seed {}: {error}", run.name, run.seed)),
            }
            // A deployment that something is wrong with says nothing about the next fault.
            if failed.len() > before {
                break;
            }
        }
        if failed.len() > before {
            let kept = deployment.keep_folder();
            failed.extend(kept.map(|folder| format!("the logs are in {}", folder.display())));
        }
    }
    if failed.is_empty() {
        Ok(())
    } else {
        Err(failed.join("\n").into())
    }
}

/// The runs on one node of the broker, or on a cluster.
fn runs(arguments: &Arguments, on_cluster: bool) -> Outcome<Vec<Run>> {
    let kinds: Vec<_> = Fault::all()
        .iter()
        .copied()
        .filter(|fault| fault.needs_cluster() == on_cluster)
        .collect();
    let together = if on_cluster {
        "together on a cluster"
    } else {
        "together"
    };
    let each = || kinds.iter().map(|fault| (vec![*fault], fault.to_string()));
    let mut chosen = Vec::new();
    for name in &arguments.faults {
        match name.as_str() {
            "each" => chosen.extend(each()),
            "together" => chosen.push((kinds.clone(), together.to_owned())),
            "all" => chosen.extend(each().chain([(kinds.clone(), together.to_owned())])),
            one => {
                Fault::from_str(one, true).map_err(|_| format!("no fault is called {one}"))?;
                chosen.extend(each().filter(|(_, name)| name == one));
            }
        }
    }
    Ok(chosen
        .into_iter()
        .flat_map(|(faults, name)| {
            arguments.seeds.iter().map(move |seed| Run {
                name: name.clone(),
                faults: faults.clone(),
                seed: *seed,
                length: Duration::from_secs(arguments.seconds),
                rate: arguments.rate,
            })
        })
        .collect())
}
