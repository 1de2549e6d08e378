//! A gate and the tasks behind it, started and ended in order.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::guard::Guard;
use shared::guard::feed::{FeedSource, follow};
use shared::guard::keys::KeyCopies;
use shared::http::client::PooledClient;
use shared::http::metrics::{Answers, Refusals};
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::TaskTracker;
use shared::spool::{self, SpoolError, SpoolSettings, SpoolTasks};
use shared::transport::Word;
use tokio::task::JoinSet;

use super::reasons::Reasons;
use super::shed::Shed;
use super::watch::Watch;
use super::{ActivePolicy, Gate, GateSettings};
use crate::METRICS_PREFIX;
use crate::rate_limit::RateLimiter;
use crate::reload::{self, Follower, KeptKeys};

/// How long the last events may take to be written after the last request is answered.
const ENDS_MAX: Duration = Duration::from_secs(5);

/// A gate whose keys, revocations and policy are kept fresh, and whose events are forwarded.
#[derive(Debug)]
pub(crate) struct RunningGate {
    gate: Arc<Gate>,
    spool_tasks: SpoolTasks,
    background: JoinSet<()>,
}

impl RunningGate {
    /// Opens the spool and starts the tasks.
    pub(crate) fn start(settings: GateSettings, client: &PooledClient) -> Result<Self, StartError> {
        let spool_settings = SpoolSettings {
            dir: settings.spool_dir,
            service: settings.service,
            instance: settings.process.instance.clone(),
            bytes_max: settings.spool_max_bytes,
        };
        let (spool, spool_tasks) =
            spool::open(&spool_settings, &settings.transport, Arc::clone(&settings.clock))
                .map_err(spool_unusable)?;
        for warning in &settings.policy.warnings {
            tracing::warn!("{warning}");
        }
        let guard = Guard::new(reload::trust(&settings.policy.issuers), settings.clock);
        let guard = guard.with_token_cache(settings.token_cache_bytes);
        let guard = Arc::new(guard.with_blind_max(settings.blind_max));
        let feed = FeedSource {
            auth_url: settings.auth_url,
            service_token: settings.service_token,
            listener: settings.transport.listener(Word::Enforcement),
        };
        let mut background = JoinSet::new();
        let copies = settings.keys_dir.as_deref().map(KeyCopies::in_folder).transpose();
        let copies =
            copies.map_err(|error| StartError::config(format!("keys_dir cannot be used: {error}")))?;
        let keys = KeptKeys::begin(&guard, client, copies, &settings.policy.issuers);
        let follower = Follower::new(&settings.policy, keys);
        background.spawn(follow(Arc::clone(&guard), client.clone(), feed));
        let metrics = &settings.process.metrics;
        shared::guard::metrics::watch(metrics, METRICS_PREFIX, &guard);
        shared::spool::metrics::watch(metrics, METRICS_PREFIX, &spool);
        let streams = Watch::watched(metrics, METRICS_PREFIX);
        background.spawn(streams.clone().run(Arc::clone(&guard)));
        let shed = Shed::watched(metrics, METRICS_PREFIX);
        background.spawn(shed.clone().run(spool.clone()));
        let limiter = RateLimiter::watched(metrics, METRICS_PREFIX);
        settings.access_log.watch(metrics, METRICS_PREFIX);
        let gate = Arc::new(Gate {
            policy: ArcSwap::from_pointee(ActivePolicy::new(settings.policy)),
            guard,
            spool,
            trusted_proxies: settings.process.trusted_proxies.clone(),
            limiter,
            streams,
            shed,
            reasons: metrics.register(METRICS_PREFIX, Reasons::register),
            is_traced: settings.process.traces.is_on(),
            access_log: settings.access_log,
            answers: metrics.register(METRICS_PREFIX, Answers::register),
            refusals: metrics.register(METRICS_PREFIX, Refusals::register),
            ends: TaskTracker::new(),
        });
        background.spawn(reload::run(Arc::clone(&gate), follower));
        Ok(Self {
            gate,
            spool_tasks,
            background,
        })
    }

    /// The gate.
    pub(crate) fn gate(&self) -> Arc<Gate> {
        Arc::clone(&self.gate)
    }

    /// Waits until a task has ended by itself, which it does only when it has failed, and tells which. Without it the gate
    /// works no more as it should, so that the process should end and be started anew.
    pub(crate) async fn failed(&mut self) -> &'static str {
        tokio::select! {
            () = self.spool_tasks.ended() => "the spool ended by itself",
            _ = self.background.join_next() => "a background task ended by itself",
        }
    }

    /// Waits, within bounds, for the events of requests that were cut off and of those whose clients are gone, and for what
    /// the spool still holds; then ends the tasks.
    pub(crate) async fn close(mut self) {
        self.gate.ends.close();
        if tokio::time::timeout(ENDS_MAX, self.gate.ends.wait())
            .await
            .is_err()
        {
            tracing::error!("the events of some requests could not be written");
        }
        self.gate.access_log.close().await;
        self.background.shutdown().await;
        self.gate.shed.close(&self.gate.spool).await;
        self.spool_tasks.close().await;
    }
}

/// What an operator must change is an error of the configuration; a full disk is not.
fn spool_unusable(error: SpoolError) -> StartError {
    match error {
        SpoolError::Folder(error) if error.kind() == std::io::ErrorKind::StorageFull => {
            StartError::failed(error)
        }
        error => StartError::config(error),
    }
}
