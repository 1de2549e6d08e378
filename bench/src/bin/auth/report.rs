//! The table: medians, each beside what it is measured against.

use std::collections::BTreeMap;
use std::time::Duration;

use bench::load::Run;
use bench::statistics::{machine, mebibytes, median};
use shared::runtime::cli::say;

use crate::Flood;
use crate::baseline::Pages;
use crate::scenario::Scenario;

/// Everything that was measured.
pub(crate) struct Report {
    machine: String,
    first_starts: Vec<f64>,
    later_starts: Vec<f64>,
    hashes: BTreeMap<Pages, Vec<Run>>,
    runs: BTreeMap<Scenario, Vec<Run>>,
    idle_bytes: u64,
    used_bytes: u64,
    flood: Option<Flood>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            machine: machine(),
            first_starts: Vec::new(),
            later_starts: Vec::new(),
            hashes: BTreeMap::new(),
            runs: BTreeMap::new(),
            idle_bytes: 0,
            used_bytes: 0,
            flood: None,
        }
    }
}

impl Report {
    pub(crate) fn first_start(&mut self, took: Duration) {
        self.first_starts.push(took.as_secs_f64() * 1e3);
    }

    pub(crate) fn later_start(&mut self, took: Duration) {
        self.later_starts.push(took.as_secs_f64() * 1e3);
    }

    pub(crate) fn hashes(&mut self, pages: Pages, run: Run) {
        self.hashes.entry(pages).or_default().push(run);
    }

    pub(crate) fn run(&mut self, kind: Scenario, run: Run) {
        self.runs.entry(kind).or_default().push(run);
    }

    pub(crate) fn idle_memory(&mut self, bytes: u64) {
        self.idle_bytes = bytes;
    }

    pub(crate) fn used_memory(&mut self, bytes: u64) {
        self.used_bytes = bytes;
    }

    pub(crate) fn flood(&mut self, flood: Flood) {
        self.flood = Some(flood);
    }

    /// Says it all.
    pub(crate) fn print(&self) {
        say(&format!(
            "{}; medians of {}\n",
            self.machine,
            self.first_starts.len()
        ));
        say("| operation | a second | CPU µs each | CPU, healthz = 1 | p50 ms | p99 ms |");
        say("|---|---|---|---|---|---|");
        let healthz = self.runs.get(&Scenario::Healthz);
        let base = healthz.map_or(f64::NAN, |runs| median(runs, Run::cpu_micros));
        let row = |name: &str, runs: &[Run]| {
            let cpu = median(runs, Run::cpu_micros);
            let latency = |percent| match median(runs, |run| run.latency(percent)) {
                known if known.is_finite() => format!("{known:.2}"),
                _ => String::new(),
            };
            say(&format!(
                "| {name} | {:.0} | {cpu:.0} | {:.1} | {} | {} |",
                median(runs, Run::rate),
                cpu / base,
                latency(50),
                latency(99),
            ));
        };
        for (pages, runs) in &self.hashes {
            row(&format!("bare argon2id{pages}"), runs);
        }
        for kind in Scenario::ALL {
            match self.runs.get(&kind) {
                Some(runs) => row(&kind.to_string(), runs),
                None => say(&format!("| {kind} | not measured | | | | |")),
            }
        }
        self.print_targets();
    }

    /// Sign-ins against bare hashes, round by round.
    fn print_ratios(&self, pages: Pages, hashes: &[Run]) {
        let log_ins = self.runs.get(&Scenario::LogIn).map_or(&[][..], Vec::as_slice);
        let ratio = |of: fn(&Run, &Run) -> f64| {
            let ratios: Vec<_> = log_ins
                .iter()
                .zip(hashes)
                .map(|(log_in, hash)| of(log_in, hash))
                .collect();
            middle(&ratios)
        };
        let by_rate = ratio(|log_in, hash| log_in.rate() / hash.rate());
        let by_cpu = ratio(|log_in, hash| hash.cpu_micros() / log_in.cpu_micros());
        let target = match pages {
            Pages::Ordinary => "≥ 0.90",
            Pages::Huge => "",
        };
        say(&format!(
            "| sign-ins to bare hashes{pages}, by rate | {by_rate:.2} | {target} |"
        ));
        say(&format!(
            "| sign-ins to bare hashes{pages}, by CPU | {by_cpu:.2} | {target} |"
        ));
    }

    fn print_targets(&self) {
        say("\n| what | measured | target |");
        say("|---|---|---|");
        for (pages, hashes) in &self.hashes {
            self.print_ratios(*pages, hashes);
        }
        let (first, later) = (middle(&self.first_starts), middle(&self.later_starts));
        say(&format!(
            "| start to ready, new database | {first:.0} ms | < 200 ms |"
        ));
        say(&format!(
            "| start to ready, database there | {later:.0} ms | < 200 ms |"
        ));
        say(&format!(
            "| resident, idle | {:.1} MiB | < 30 MiB |",
            mebibytes(self.idle_bytes)
        ));
        say(&format!(
            "| resident, after all of the above | {:.1} MiB | |",
            mebibytes(self.used_bytes)
        ));
        if let Some(flood) = &self.flood {
            say(&format!(
                "| resident at most, {} connections signing in | {:.1} MiB | idle + 19 MiB a processor + connections |",
                flood.connections,
                mebibytes(flood.peak_bytes),
            ));
            say(&format!(
                "| … done / told to come back | {} / {} | none waits for longer than a second |",
                flood.run.done, flood.run.refused
            ));
        }
    }
}

fn middle(figures: &[f64]) -> f64 {
    median(figures, |figure| *figure)
}
