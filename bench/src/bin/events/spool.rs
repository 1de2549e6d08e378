//! What a request pays for the spool, and what one pays that is recorded before it is forwarded.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::process::cpu_of;
use bench::statistics::count;
use shared::clock::{Clock as _, SystemClock};
use shared::event::{Draft, Event, wire};
use shared::runtime::cli::say;
use shared::spool::{Spool, SpoolSettings, open};
use shared::transport::{Bus, Transport};

/// An access event with everything in it.
const MODEL: &[u8] = include_bytes!("../../../../shared/tests/golden/access.v1.json");

/// What is done for an event.
#[derive(Clone, Copy)]
enum Mode {
    /// It is appended, as on a route with `audit = "durable"`.
    Durable,
    /// Its intent is synced, then it is appended, as with `audit = "fail-closed"`.
    FailClosed,
}

/// Measures both with one request at a time and with many.
pub(crate) async fn measure(folder: &Path, events: u64) -> Outcome<()> {
    say("| audit | requests at a time | events a second | CPU µs an event | p50 ms | p99 ms |");
    say("|---|---|---|---|---|---|");
    for (name, mode) in [("durable", Mode::Durable), ("fail-closed", Mode::FailClosed)] {
        for lanes in [1, 64] {
            // One at a time waits for the disk each time.
            let events = if lanes == 1 { events / 20 } else { events };
            let (took, cpu, delays) = run(folder, mode, lanes, events).await?;
            let at = |percent: usize| {
                let delay = delays.get(delays.len() * percent / 100);
                delay.map_or(f64::NAN, |delay| delay.as_secs_f64() * 1e3)
            };
            let done = count(delays.len() as u64);
            say(&format!(
                "| {name} | {lanes} | {:.0} | {:.1} | {:.2} | {:.2} |",
                done / took.as_secs_f64(),
                cpu.as_secs_f64() * 1e6 / done,
                at(50),
                at(99)
            ));
        }
    }
    Ok(())
}

/// Nobody drains it: what forwarding costs is measured with the whole way.
async fn run(
    folder: &Path,
    mode: Mode,
    lanes: u64,
    events: u64,
) -> Outcome<(Duration, Duration, Vec<Duration>)> {
    let dir = tempfile::tempdir_in(folder)?;
    let settings = SpoolSettings {
        dir: dir.path().to_owned(),
        service: "api-service",
        instance: "bench".parse()?,
        bytes_max: u64::MAX,
    };
    let transport = Transport::InProcess(Bus::new());
    let (spool, tasks) = open(&settings, &transport, Arc::new(SystemClock))?;
    let model = wire::decode(MODEL)?;
    let (began, cpu) = (Instant::now(), cpu_of(std::process::id())?);
    let appending =
        (0..lanes).map(|_| tokio::spawn(append(spool.clone(), model.clone(), mode, events / lanes)));
    let mut delays = Vec::new();
    for lane in futures_util::future::try_join_all(appending).await? {
        delays.extend(lane?);
    }
    let (took, cpu) = (began.elapsed(), cpu_of(std::process::id())?.saturating_sub(cpu));
    delays.sort_unstable();
    // What is in it goes with its folder; to forward it would take as long again.
    drop(tasks);
    Ok((took, cpu, delays))
}

async fn append(spool: Spool, model: Event, mode: Mode, events: u64) -> Outcome<Vec<Duration>> {
    let mut delays = Vec::new();
    for _ in 0..events {
        let draft = Draft::new(SystemClock.now(), model.facts.clone());
        let began = Instant::now();
        if matches!(mode, Mode::FailClosed) {
            spool.intend(&draft).await?;
        }
        spool.append(draft).await?;
        delays.push(began.elapsed());
    }
    Ok(delays)
}
