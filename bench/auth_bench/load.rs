//! Many connections that ask as fast as they are answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::http::Connection;
use crate::scenario::{Asker, Scenario, Stage};
use crate::server::Server;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How much is asked.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    pub(crate) connections: usize,
    pub(crate) lasting: Duration,
}

/// What came of it.
pub(crate) struct Run {
    pub(crate) done: u64,
    pub(crate) refused: u64,
    pub(crate) took: Duration,
    pub(crate) cpu: Duration,
    pub(crate) latencies: Vec<Duration>,
}

impl Run {
    /// Operations a second.
    pub(crate) fn rate(&self) -> f64 {
        count(self.done) / self.took.as_secs_f64()
    }

    /// Processor time of an operation, in microseconds.
    pub(crate) fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.done.max(1))
    }

    /// The latency that so many of a hundred stay below, in milliseconds.
    pub(crate) fn latency(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let place = sorted.len() * percent / 100;
        let found = sorted.get(place.min(sorted.len().saturating_sub(1)));
        found.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// A count as a number to divide with.
pub(crate) fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// A flood and the memory that it took.
pub(crate) struct Flood {
    pub(crate) run: Run,
    pub(crate) peak_bytes: u64,
    pub(crate) connections: usize,
}

impl Load {
    /// Asks; `None` if the server cannot be asked that.
    pub(crate) async fn run(self, server: &Server, stage: &Stage, kind: Scenario) -> Outcome<Option<Run>> {
        let mut askers = Vec::new();
        for number in 0..self.connections {
            let mut connection = Connection::open(server.port).await?;
            let Some(asker) = Asker::new(stage, kind, number, &mut connection).await? else {
                return Ok(None);
            };
            askers.push((asker, connection));
        }
        let (began, cpu) = (Instant::now(), server.cpu()?);
        let end = began + self.lasting;
        let mut asking = JoinSet::new();
        for (asker, connection) in askers {
            asking.spawn(ask_until(asker, connection, end));
        }
        let mut run = Run {
            done: 0,
            refused: 0,
            took: Duration::ZERO,
            cpu: Duration::ZERO,
            latencies: Vec::new(),
        };
        while let Some(asked) = asking.join_next().await {
            let (latencies, refused) = asked??;
            run.done += u64::try_from(latencies.len())?;
            run.refused += refused;
            run.latencies.extend(latencies);
        }
        run.took = began.elapsed();
        run.cpu = server.cpu()?.saturating_sub(cpu);
        Ok(Some(run))
    }

    /// A flood of sign-ins, and the most memory that it took.
    pub(crate) async fn watch_memory(self, server: &Server, stage: &Stage) -> Outcome<Flood> {
        let mut peak_bytes = 0;
        let running = self.run(server, stage, Scenario::LogIn);
        tokio::pin!(running);
        loop {
            tokio::select! {
                run = &mut running => {
                    return Ok(Flood {
                        run: run?.ok_or("no sign-in")?,
                        peak_bytes,
                        connections: self.connections,
                    });
                }
                () = tokio::time::sleep(LOOK_EVERY) => peak_bytes = peak_bytes.max(server.resident_bytes()?),
            }
        }
    }
}

/// What a connection's task returns: how long each operation took, and how many were refused.
type Asked = Result<(Vec<Duration>, u64), String>;

async fn ask_until(mut asker: Asker, mut connection: Connection, end: Instant) -> Asked {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    while Instant::now() < end {
        let began = Instant::now();
        let asked = asker.ask(&mut connection).await;
        if asked.map_err(|error| error.to_string())? {
            latencies.push(began.elapsed());
        } else {
            refused += 1;
        }
    }
    Ok((latencies, refused))
}
