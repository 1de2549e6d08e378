//! The door: verifies tokens, decides, forwards, and publishes one event for every request.
#![doc = include_str!("../README.md")]

mod app;
mod door;
pub mod policy;
mod proxy;
pub mod settings;

use std::sync::Arc;

use shared::guard::Guard;
use shared::guard::feed::{FeedSource, follow};
use shared::guard::keys::{KeyRefresh, keep_fresh};
use shared::http::client::{PooledClient, pooled_client};
use shared::http::serve::serve;
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::{CancellationToken, TaskTracker};
use shared::spool::{self, SpoolSettings};
use shared::token::{Trust, TrustedIssuer};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use door::Door;
use policy::{IssuerKeys, PolicyIssuer};
use settings::{SERVICE, Settings};

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
        instance: settings.process.instance,
        bytes_max: settings.spool_max_bytes,
    };
    let (spool, spool_tasks) = spool::open(&spool_settings, &settings.transport, Arc::clone(&settings.clock))
        .map_err(StartError::config)?;
    for warning in &settings.policy.warnings {
        tracing::warn!("{warning}");
    }
    let guard = Arc::new(Guard::new(trust(&settings.policy.issuers), settings.clock));
    let feed = FeedSource {
        auth_url: settings.auth_url,
        service_token: settings.service_token,
    };
    let mut background = JoinSet::new();
    let refresh = keep_keys(&mut background, &guard, &client, &settings.policy.issuers);
    background.spawn(follow(Arc::clone(&guard), client.clone(), feed));
    let ends = TaskTracker::new();
    let door = Arc::new(Door {
        table: settings.policy.table,
        guard,
        refresh,
        spool,
        client,
        trusted_proxies: settings.process.trusted_proxies,
        body_max_bytes: settings.body_max_bytes,
        ends: ends.clone(),
    });
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "the door is open");
    }
    serve(listener, app::router(Arc::clone(&door)), shutdown).await;
    drop(door);
    // Events of requests that were cut off are still on their way to the spool.
    ends.close();
    ends.wait().await;
    background.shutdown().await;
    spool_tasks.close().await;
    Ok(())
}

fn trust(issuers: &[PolicyIssuer]) -> Trust {
    let trusted = issuers.iter().map(|issuer| TrustedIssuer {
        rules: issuer.rules.clone(),
        keys: match &issuer.keys {
            IssuerKeys::Fetched(_) => None,
            IssuerKeys::Secret(keys) => Some(Arc::clone(keys)),
        },
    });
    Trust::new(trusted.collect())
}

fn keep_keys(
    background: &mut JoinSet<()>,
    guard: &Arc<Guard>,
    client: &PooledClient,
    issuers: &[PolicyIssuer],
) -> KeyRefresh {
    let fetched = || {
        issuers.iter().filter_map(|issuer| match &issuer.keys {
            IssuerKeys::Fetched(jwks) => Some((issuer.rules.iss.as_str(), jwks)),
            IssuerKeys::Secret(_) => None,
        })
    };
    let refresh = KeyRefresh::for_issuers(fetched().map(|(iss, _)| iss));
    for (iss, jwks) in fetched() {
        background.spawn(keep_fresh(
            Arc::clone(guard),
            refresh.clone(),
            client.clone(),
            iss.to_owned(),
            jwks.clone(),
        ));
    }
    refresh
}
