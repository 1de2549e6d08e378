//! What the process uses, under the names that Prometheus's own client libraries give it.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::clock::{Clock as _, SystemClock};

/// Linux counts a process's time in hundredths of a second, whatever the kernel's own beat (proc(5), `USER_HZ`).
const TICKS_PER_SECOND: f64 = 100.0;

/// Where the fields of `/proc/self/stat` after the program's name begin with the third; `utime` is the fourteenth.
const UTIME_AFTER_NAME: usize = 11;

type Seconds = Counter<f64, AtomicU64>;

/// The gauges of the process.
pub(super) struct ProcessMetrics {
    cpu: Seconds,
    resident: Gauge,
    threads: Gauge,
    files: Gauge,
}

/// The state of a process, from texts below `/proc`. What cannot be read is left out.
#[derive(Debug, PartialEq)]
struct Usage {
    cpu_seconds: Option<f64>,
    resident_bytes: Option<i64>,
    threads: Option<i64>,
}

impl ProcessMetrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let process = registry.sub_registry_with_prefix("process");
        let start: Gauge = Gauge::default();
        start.set(SystemClock.now().as_seconds());
        process.register_with_unit(
            "start_time",
            "When the process started, since 1970",
            Unit::Seconds,
            start,
        );
        let metrics = Self {
            cpu: Seconds::default(),
            resident: Gauge::default(),
            threads: Gauge::default(),
            files: Gauge::default(),
        };
        process.register_with_unit(
            "cpu",
            "Time on processors, in user and system mode",
            Unit::Seconds,
            metrics.cpu.clone(),
        );
        process.register_with_unit(
            "resident_memory",
            "Memory in use",
            Unit::Bytes,
            metrics.resident.clone(),
        );
        process.register("threads", "Threads", metrics.threads.clone());
        process.register("open_fds", "Open file descriptors", metrics.files.clone());
        metrics
    }

    /// Looks again.
    pub(super) fn ask(&self) {
        let text = |file| std::fs::read_to_string(file).unwrap_or_default();
        let usage = usage(&text("/proc/self/stat"), &text("/proc/self/status"));
        if let Some(seconds) = usage.cpu_seconds {
            self.cpu
                .inner()
                .store(seconds.to_bits(), std::sync::atomic::Ordering::Relaxed);
        }
        if let Some(bytes) = usage.resident_bytes {
            self.resident.set(bytes);
        }
        if let Some(threads) = usage.threads {
            self.threads.set(threads);
        }
        if let Ok(files) = std::fs::read_dir("/proc/self/fd") {
            self.files.set(i64::try_from(files.count()).unwrap_or(i64::MAX));
        }
    }
}

fn usage(stat: &str, status: &str) -> Usage {
    // The program's name stands in parentheses and may hold anything, parentheses too.
    let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
    let mut times = after_name.split_whitespace().skip(UTIME_AFTER_NAME);
    let mut ticks = || times.next()?.parse::<u32>().ok();
    let cpu = ticks().zip(ticks());
    let of_status = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<i64>().ok()
    };
    Usage {
        cpu_seconds: cpu.map(|(user, system)| (f64::from(user) + f64::from(system)) / TICKS_PER_SECOND),
        resident_bytes: of_status("VmRSS:").map(|kibibytes| kibibytes * 1024),
        threads: of_status("Threads:"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_read_whatever_the_program_is_called() {
        let stat = "7 (a) b (c)) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 100 1 2";
        let status = "Name:\ta) b\nVmRSS:\t    2048 kB\nThreads:\t9\n";

        let usage = usage(stat, status);

        let expected = Usage {
            cpu_seconds: Some(3.0),
            resident_bytes: Some(2 * 1024 * 1024),
            threads: Some(9),
        };
        assert_eq!(usage, expected);
    }

    #[test]
    fn what_cannot_be_read_is_left_out() {
        let nothing = Usage {
            cpu_seconds: None,
            resident_bytes: None,
            threads: None,
        };
        assert_eq!(usage("", ""), nothing);
    }
}
