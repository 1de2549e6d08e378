//! The door: verifies tokens, decides, forwards, and publishes one event for every request.
#![doc = include_str!("../README.md")]

mod app;
pub mod command;
mod door;
pub mod inspect;
pub mod policy;
mod proxy;
mod reload;
pub mod settings;

use std::sync::Arc;
use std::time::Duration;

use shared::guard::Guard;
use shared::guard::feed::{FeedSource, follow};
use shared::http::client::pooled_client;
use shared::http::metrics::Answers;
use shared::http::serve::serve;
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::{CancellationToken, TaskTracker};
use shared::spool::{self, SpoolError, SpoolSettings};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use arc_swap::ArcSwap;
use door::{ActivePolicy, Door};
use reload::{Follower, KeptKeys};
use settings::{SERVICE, Settings};

/// What the names of the door's metrics begin with.
const METRICS_PREFIX: &str = "gatelog_door";

/// How long the last events may take to be written after the last connection is closed.
const ENDS_MAX: Duration = Duration::from_secs(5);

/// Serves until `shutdown`; then ends what was begun, within bounds, and closes the spool.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let client = pooled_client().map_err(StartError::failed)?;
    let spool_settings = SpoolSettings {
        dir: settings.spool_dir,
        service: SERVICE,
        instance: settings.process.instance.clone(),
        bytes_max: settings.spool_max_bytes,
    };
    let (spool, mut spool_tasks) =
        spool::open(&spool_settings, &settings.transport, Arc::clone(&settings.clock))
            .map_err(spool_unusable)?;
    for warning in &settings.policy.warnings {
        tracing::warn!("{warning}");
    }
    let guard = Arc::new(Guard::new(
        reload::trust(&settings.policy.issuers),
        settings.clock,
    ));
    let feed = FeedSource {
        auth_url: settings.auth_url,
        service_token: settings.service_token,
        listener: settings.transport.listener(),
    };
    let mut background = JoinSet::new();
    let keys = KeptKeys::begin(&guard, &client, &settings.policy.issuers);
    let refresh = keys.refresh();
    let follower = Follower::new(&settings.policy, keys);
    background.spawn(follow(Arc::clone(&guard), client.clone(), feed));
    let metrics = &settings.process.metrics;
    shared::guard::metrics::watch(metrics, METRICS_PREFIX, &guard);
    shared::http::metrics::start(&settings.process, shutdown.clone()).await?;
    let ends = TaskTracker::new();
    let door = Arc::new(Door {
        policy: ArcSwap::from_pointee(ActivePolicy::new(settings.policy, refresh)),
        guard,
        spool,
        client,
        trusted_proxies: settings.process.trusted_proxies.clone(),
        body_max_bytes: settings.body_max_bytes,
        answers: metrics.register(METRICS_PREFIX, Answers::register),
        ends: ends.clone(),
    });
    background.spawn(reload::run(Arc::clone(&door), follower));
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "the door is open");
    }
    // A task that ends by itself has failed, and then the whole process ends, so that its supervisor starts it anew.
    let failed = tokio::select! {
        () = serve(listener, app::router(Arc::clone(&door)), shutdown) => None,
        () = spool_tasks.ended() => Some("the spool ended by itself"),
        _ = background.join_next() => Some("a background task ended by itself"),
    };
    drop(door);
    // Requests that were cut off, and the events of those whose clients are gone, are still on their way to the spool.
    ends.close();
    if tokio::time::timeout(ENDS_MAX, ends.wait()).await.is_err() {
        tracing::error!("the events of some requests could not be written");
    }
    background.shutdown().await;
    spool_tasks.close().await;
    failed.map_or(Ok(()), |reason| Err(StartError::failed(reason)))
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
