//! Metrics: one registry a process, which several services in it may share, and what is asked before each reading.
//!
//! A series costs the same memory however often it is counted and whether or not anybody reads it. Labels take their
//! values from small sets that the code knows; a path, a name or an address is never one.

mod process;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use process::ProcessMetrics;

/// How long a probe may take; a reading must not hang on a database that does.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Something that is asked for its present state before a reading.
type Probe = Arc<dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync>;

/// The metrics of this process. Clones share them.
#[derive(Clone)]
pub struct Metrics(Arc<Inner>);

struct Inner {
    registry: Mutex<Registry>,
    probes: Mutex<Vec<Probe>>,
    process: ProcessMetrics,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Metrics")
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics of the process itself and nothing else yet.
    pub fn new() -> Self {
        let mut registry = Registry::default();
        registry.register(
            "gatelog_build",
            "The version that runs",
            Info::new([("version", env!("CARGO_PKG_VERSION"))]),
        );
        let process = ProcessMetrics::register(&mut registry);
        Self(Arc::new(Inner {
            registry: Mutex::new(registry),
            probes: Mutex::new(Vec::new()),
            process,
        }))
    }

    /// Adds what `build` registers, under names that begin with `prefix`, which each service of a process has for itself.
    pub fn register<T>(&self, prefix: &str, build: impl FnOnce(&mut Registry) -> T) -> T {
        let mut registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        build(registry.sub_registry_with_prefix(prefix))
    }

    /// Has `probe` asked before each reading, so that a gauge tells what is and not what was.
    pub fn probe<F>(&self, probe: impl Fn() -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let probe: Probe = Arc::new(move || Box::pin(probe()));
        self.probes().push(probe);
    }

    /// A reading, as `OpenMetrics` text.
    pub async fn read(&self) -> Result<String, fmt::Error> {
        let probes = self.probes().clone();
        let asked = probes.iter().map(|probe| timeout(PROBE_TIMEOUT, probe()));
        let late = join_all(asked)
            .await
            .iter()
            .filter(|asked| asked.is_err())
            .count();
        if late > 0 {
            tracing::debug!(late, "some metrics could not be asked for in time");
        }
        self.0.process.ask();
        let mut text = String::new();
        let registry = self.0.registry.lock().unwrap_or_else(PoisonError::into_inner);
        encode(&mut text, &registry)?;
        Ok(text)
    }

    fn probes(&self) -> std::sync::MutexGuard<'_, Vec<Probe>> {
        self.0.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::counter::Counter;
    use prometheus_client::metrics::gauge::Gauge;

    use super::*;

    #[tokio::test]
    async fn a_reading_tells_what_the_services_of_a_process_registered_and_the_process_itself() {
        let metrics = Metrics::new();
        for prefix in ["gatelog_one", "gatelog_two"] {
            let counter: Counter = Counter::default();
            counter.inc();
            metrics.register(prefix, |registry| registry.register("doings", "Done", counter));
        }

        let text = metrics.read().await.unwrap();

        for line in ["gatelog_one_doings_total 1", "gatelog_two_doings_total 1"] {
            assert!(text.lines().any(|given| given == line), "{line} in\n{text}");
        }
        assert!(text.contains(r#"gatelog_build_info{version=""#), "{text}");
        assert!(text.ends_with("# EOF\n"), "{text}");
        let families: Vec<_> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let mut distinct = families.clone();
        distinct.dedup();
        assert_eq!(families, distinct);
    }

    #[tokio::test]
    async fn a_probe_is_asked_before_each_reading() {
        let metrics = Metrics::new();
        let gauge: Gauge = Gauge::default();
        metrics.register("gatelog", |registry| {
            registry.register("readings", "Readings", gauge.clone());
        });
        metrics.probe(move || {
            gauge.inc();
            std::future::ready(())
        });

        metrics.read().await.unwrap();
        let text = metrics.read().await.unwrap();

        assert!(text.contains("\ngatelog_readings 2\n"), "{text}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_hangs_does_not_hold_up_a_reading() {
        let metrics = Metrics::new();
        metrics.probe(std::future::pending);

        assert!(metrics.read().await.unwrap().contains("process_"));
    }
}
