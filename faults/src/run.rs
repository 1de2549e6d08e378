//! One run: load, faults, rest, verdict.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use tokio::time::{sleep, sleep_until};

use crate::Outcome;
use crate::deployment::Deployment;
use crate::fault::Fault;
use crate::inject::{Turns, inject};
use crate::load::Load;
use crate::plan::plan;
use crate::report::Row;
use crate::settle::{healthy, settle};

/// How long the load goes on after the last fault.
const LOAD_GOES_ON: Duration = Duration::from_secs(2);

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Run {
    /// What the faults are called together.
    pub name: String,
    /// The kinds of faults.
    pub faults: Vec<Fault>,
    /// What decides when they happen, and to whom.
    pub seed: u64,
    /// How long faults are begun.
    pub length: Duration,
    /// Requests a second.
    pub rate: u32,
}

impl Run {
    /// Runs it on a deployment that is at rest, and returns it at rest if all goes well.
    pub async fn on(&self, deployment: &Deployment) -> Outcome<Row> {
        let injections = plan(self.seed, &self.faults, self.length);
        let load = Load::start(deployment, self.rate, self.seed)?;
        let (began, turns) = (tokio::time::Instant::now(), Turns::among(&self.faults));
        let injecting = injections.iter().map(async |injection| {
            sleep_until(began + injection.at).await;
            let injected = inject(deployment, &turns, injection).await;
            injected.map_err(|error| format!("{} cannot be done: {error}", injection.fault))
        });
        let injected = join_all(injecting).await;
        injected.into_iter().collect::<Result<(), _>>()?;
        let since = Instant::now();
        let (healthy_after, ()) = tokio::join!(healthy(deployment, since), sleep(LOAD_GOES_ON));
        let ledger = load.stop().await?;
        let rest = settle(deployment, &ledger, since, healthy_after?).await?;
        Ok(Row {
            faults: self.name.clone(),
            seed: self.seed,
            injections,
            rest,
        })
    }
}
