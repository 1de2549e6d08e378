//! The short form of the fault runs: everything at once, on one node and on a cluster. `scripts/faults` is the long one.
#![cfg(test)]

use std::path::Path;
use std::time::Duration;

use faults::database::{Postgres, environment};
use faults::deployment::Deployment;
use faults::fault::Fault;
use faults::report::HEAD;
use faults::run::Run;
use tokio::sync::Mutex;

/// One at a time: both stop the one database server.
static ALONE: Mutex<()> = Mutex::const_new(());

/// Runs these faults together on a broker of so many nodes, and prints what came of it.
async fn run(nodes: usize, faults: Vec<Fault>) {
    let _alone = ALONE.lock().await;
    let Some(postgres) = Postgres::find() else {
        assert!(
            environment("GATELOG_TEST_REQUIRE_SERVERS").is_none(),
            "the servers are required, but not there"
        );
        println!("SKIPPED: needs PostgreSQL and RabbitMQ; run it by scripts/test or scripts/faults");
        return;
    };
    let binaries = Path::new(env!("CARGO_BIN_EXE_faults")).parent().unwrap();
    assert!(
        binaries.join("api-service").exists(),
        "the programs are not built; run `cargo build --workspace` first"
    );
    let mut deployment = Deployment::start(binaries, postgres, nodes).await.unwrap();
    let run = Run {
        name: "together".to_owned(),
        faults,
        seed: 1,
        length: Duration::from_secs(15),
        rate: 60,
    };

    let row = run.on(&deployment).await.unwrap();

    println!("{HEAD}\n{}", row.line());
    if !row.is_good() {
        let logs = deployment.keep_folder();
        panic!("{}\nthe logs are in {logs:?}", row.complaint());
    }
    assert!(row.rest.verdict.answered >= 100, "there was hardly a load");
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_requests_are_stored_once_whatever_breaks_at_once() {
    // Half a minute passes until a spool is adopted; the long form waits for that.
    let is_short = |fault: &Fault| !fault.needs_cluster() && *fault != Fault::SpoolAbandoned;

    run(1, Fault::all().iter().copied().filter(is_short).collect()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answered_requests_are_stored_once_though_a_cluster_loses_nodes() {
    run(3, vec![Fault::NodeKilled, Fault::LeaderKilled, Fault::NodeParted]).await;
}
