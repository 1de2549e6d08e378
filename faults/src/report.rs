//! The table of what came of each run.

use crate::plan::Injection;
use crate::settle::Rest;

/// What came of one run.
#[derive(Debug)]
pub struct Row {
    /// Which faults.
    pub faults: String,
    /// The seed.
    pub seed: u64,
    /// What was done, in order of time.
    pub injections: Vec<Injection>,
    /// How all came to rest.
    pub rest: Rest,
}

/// The head of the table.
pub const HEAD: &str = "| fault | seed | times | answered | stored | lost | doubled | unknown | refused unrecorded | healthy after | all stored after |\n\
     |---|---|---|---|---|---|---|---|---|---|---|";

impl Row {
    /// Whether nothing is wrong.
    pub fn is_good(&self) -> bool {
        self.rest.verdict.is_good()
    }

    /// Its line in the table.
    pub fn line(&self) -> String {
        let Self {
            faults,
            seed,
            injections,
            rest,
            ..
        } = self;
        let verdict = &rest.verdict;
        let times = injections.len();
        let seconds = |duration: std::time::Duration| format!("{:.1} s", duration.as_secs_f64());
        format!(
            "| {faults} | {seed} | {times} | {} | {} | {} | {} | {} | {} | {} | {} |",
            verdict.answered,
            verdict.stored,
            verdict.lost.len(),
            verdict.doubled.len(),
            verdict.unknown,
            verdict.unrecorded,
            seconds(rest.healthy_after),
            seconds(rest.stored_after),
        )
    }

    /// What is wrong, with all that is needed to look for the cause.
    pub fn complaint(&self) -> String {
        let verdict = &self.rest.verdict;
        let injections = self.injections.iter().map(|injection| {
            let (at, lasting) = (injection.at.as_secs_f64(), injection.lasting.as_secs_f64());
            format!("  at {at:.1} s {} for {lasting:.1} s", injection.fault)
        });
        let first = |ids: &[String]| ids.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
        format!(
            "{} with seed {} is not good: {} lost ({}), {} doubled ({}), gaps {:?}, {:?}\n{}",
            self.faults,
            self.seed,
            verdict.lost.len(),
            first(&verdict.lost),
            verdict.doubled.len(),
            first(&verdict.doubled),
            verdict.gaps,
            verdict.oddities,
            injections.collect::<Vec<_>>().join("\n")
        )
    }
}
