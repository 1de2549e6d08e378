//! The table: medians, each beside what it is measured against.

use bench::load::Run;
use bench::statistics::{machine, median};
use shared::runtime::cli::say;

/// A ratio of two rows' processor time that is aimed at.
struct Target {
    what: &'static str,
    row: &'static str,
    beside: &'static str,
    at_most: f64,
}

const TARGETS: [Target; 4] = [
    Target {
        what: "`/api/me` with a cached token, beside a bare handler",
        row: "door, EdDSA, cached",
        beside: "bare handler",
        at_most: 2.0,
    },
    Target {
        what: "forwarding, beside a bare proxy",
        row: "door as proxy, EdDSA, cached",
        beside: "bare proxy",
        at_most: 1.5,
    },
    Target {
        what: "forwarding, beside HAProxy that verifies RS256 and logs",
        row: "door as proxy, RS256, cached",
        beside: "HAProxy as proxy, RS256, log",
        at_most: 1.0,
    },
    Target {
        what: "forwarding, beside HAProxy that verifies ES256 and logs",
        row: "door as proxy, ES256, cached",
        beside: "HAProxy as proxy, ES256, log",
        at_most: 1.0,
    },
];

/// Everything that was measured.
pub(crate) struct Report {
    machine: String,
    rows: Vec<(String, Vec<Run>)>,
}

impl Report {
    /// An empty one; notes how busy the machine is before the bench begins.
    pub(crate) fn begin() -> Self {
        Self {
            machine: machine(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn run(&mut self, name: &str, run: Run) {
        match self.rows.iter_mut().find(|(known, _)| known == name) {
            Some((_, runs)) => runs.push(run),
            None => self.rows.push((name.to_owned(), vec![run])),
        }
    }

    /// Says it all.
    pub(crate) fn print(&self) {
        let rounds = self.rows.first().map_or(0, |(_, runs)| runs.len());
        say(&format!("{}; medians of {rounds}\n", self.machine));
        say("| who | a second | CPU µs each | p50 ms | p99 ms |");
        say("|---|---|---|---|---|");
        for (name, runs) in &self.rows {
            say(&format!(
                "| {name} | {:.0} | {:.1} | {:.2} | {:.2} |",
                median(runs, Run::rate),
                median(runs, Run::cpu_micros),
                median(runs, |run| run.latency(50)),
                median(runs, |run| run.latency(99)),
            ));
        }
        say("\n| ratio of processor time | measured | target |");
        say("|---|---|---|");
        for target in &TARGETS {
            if let (Some(row), Some(beside)) = (self.cpu(target.row), self.cpu(target.beside)) {
                let ratio = row / beside;
                say(&format!(
                    "| {} | {ratio:.2} | ≤ {} |",
                    target.what, target.at_most
                ));
            }
        }
    }

    fn cpu(&self, name: &str) -> Option<f64> {
        let (_, runs) = self.rows.iter().find(|(known, _)| known == name)?;
        Some(median(runs, Run::cpu_micros))
    }
}
