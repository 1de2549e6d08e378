//! Medians, and figures that can be divided.

use std::fs;
use std::thread;

/// A count as a number to divide with.
pub fn count(number: u64) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

/// Bytes as MiB.
pub fn mebibytes(bytes: u64) -> f64 {
    count(bytes / 1024) / 1024.0
}

/// The median of one figure of several runs; not a number if there are none.
pub fn median<R>(runs: &[R], figure: impl Fn(&R) -> f64) -> f64 {
    let mut sorted: Vec<_> = runs.iter().map(figure).collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

/// How large the machine is, and how busy it is now.
pub fn machine() -> String {
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    format!("{processors} processors, load {load} at the beginning")
}
