//! The door: verifies tokens, decides, forwards, and publishes one event for every request.
#![doc = include_str!("../README.md")]

pub mod access_log;
mod app;
pub mod command;
mod door;
mod forward_auth;
mod gate;
pub mod inspect;
mod intake;
pub mod layer;
mod listener;
mod openapi;
pub mod policy;
mod proxy;
pub mod rate_limit;
mod reload;
pub mod settings;

use std::sync::Arc;

use shared::http::client::pooled_client;
use shared::http::serve::serve_with;
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use tokio::net::TcpListener;

use door::{Door, reporter};
use gate::RunningGate;
use proxy::{Pools, UpstreamMetrics};
use settings::Settings;

/// What the names of the door's metrics begin with.
const METRICS_PREFIX: &str = "gatelog_door";

/// Serves until `shutdown`; then ends what was begun, within bounds, and closes the spool.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let client = pooled_client().map_err(StartError::failed)?;
    shared::http::metrics::start(&settings.gate.process, shutdown.clone()).await?;
    let traces = settings.gate.process.traces.clone();
    let metrics = settings.gate.process.metrics.clone();
    let mut running = RunningGate::start(settings.gate, &client)?;
    let gate = running.gate();
    let serving = settings.listener.serving(&gate);
    let forward_auth = forward_auth::router(Arc::clone(&gate), settings.decide_peers);
    let metrics = metrics.register(METRICS_PREFIX, UpstreamMetrics::register);
    let pools = Arc::new(Pools::new(reporter(Arc::clone(&gate), metrics)));
    let following = Arc::clone(&pools).follow(Arc::clone(&gate));
    let door = Door {
        gate,
        pools,
        body_max_bytes: settings.body_max_bytes,
        stopping: shutdown.clone(),
    };
    let router = traces.over(app::router(Arc::new(door)).merge(forward_auth));
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "the door is open");
    }
    // A task that ends by itself has failed, and then the whole process ends, so that its supervisor starts it anew.
    let failed = tokio::select! {
        () = serve_with(serving, listener, router, shutdown) => None,
        reason = running.failed() => Some(reason),
        () = following => None,
    };
    running.close().await;
    failed.map_or(Ok(()), |reason| Err(StartError::failed(reason)))
}
