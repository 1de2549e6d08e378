//! Many connections that ask as fast as they are answered.

use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use crate::Outcome;
use crate::http::Connection;
use crate::process::Server;
use crate::statistics::count;

/// What a connection asks, one request after the other.
pub trait Asker: Send + 'static {
    /// Asks once; whether the server did it rather than told to come back.
    fn ask(&mut self, connection: &mut Connection) -> impl Future<Output = Outcome<bool>> + Send;
}

/// What came of a load.
#[derive(Debug)]
pub struct Run {
    /// Requests that were done.
    pub done: u64,
    /// Requests that were told to come back.
    pub refused: u64,
    /// How long all of it took.
    pub took: Duration,
    /// The server's processor time.
    pub cpu: Duration,
    /// How long each request that was done took.
    pub latencies: Vec<Duration>,
}

impl Run {
    /// Operations a second.
    pub fn rate(&self) -> f64 {
        count(self.done) / self.took.as_secs_f64()
    }

    /// Processor time of an operation, in microseconds.
    pub fn cpu_micros(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.done.max(1))
    }

    /// The latency that so many of a hundred stay below, in milliseconds.
    pub fn latency(&self, percent: usize) -> f64 {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let place = sorted.len() * percent / 100;
        let found = sorted.get(place.min(sorted.len().saturating_sub(1)));
        found.map_or(f64::NAN, |latency| latency.as_secs_f64() * 1e3)
    }
}

/// Has every asker ask for `lasting`, each over its own connection, and tells what it cost `server`.
pub async fn run<A: Asker>(server: &Server, askers: Vec<(A, Connection)>, lasting: Duration) -> Outcome<Run> {
    let (began, cpu) = (Instant::now(), server.cpu()?);
    let mut asking = JoinSet::new();
    for (asker, connection) in askers {
        asking.spawn(ask_until(asker, connection, began + lasting));
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
    Ok(run)
}

/// How long each request took, and how many were refused.
async fn ask_until(
    mut asker: impl Asker,
    mut connection: Connection,
    end: Instant,
) -> Outcome<(Vec<Duration>, u64)> {
    let (mut latencies, mut refused) = (Vec::new(), 0);
    while Instant::now() < end {
        let began = Instant::now();
        if asker.ask(&mut connection).await? {
            latencies.push(began.elapsed());
        } else {
            refused += 1;
        }
    }
    Ok((latencies, refused))
}
