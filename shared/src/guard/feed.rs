//! Follows auth-service's enforcement log by its cursor, every second.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use super::Guard;
use crate::enforcement::Page;
use crate::http::client::{CallError, PooledClient, get};

/// How often a verifier without a live feed asks (DESIGN §3): a revocation is in force within about a second.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// Where the log is and what a service shows to read it.
#[derive(Clone, Debug)]
pub struct FeedSource {
    /// The address of auth-service, without a path.
    pub auth_url: String,
    /// The secret that services share.
    pub service_token: SecretString,
}

#[derive(Debug, thiserror::Error)]
enum FeedError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the service's answer is not a page of the enforcement log")]
    Unreadable(#[from] serde_json::Error),
    #[error("the address of auth-service cannot be used")]
    Address(#[from] http::uri::InvalidUri),
}

/// Follows the log until it is dropped.
pub async fn follow(guard: Arc<Guard>, client: PooledClient, source: FeedSource) {
    let mut ticks = tokio::time::interval(POLL_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failing = false;
    loop {
        ticks.tick().await;
        match catch_up(&guard, &client, &source).await {
            Ok(()) => {
                if failing {
                    tracing::info!("revocations are heard of again");
                }
                failing = false;
            }
            Err(error) if failing => tracing::debug!(%error, "revocations are still not heard of"),
            Err(error) => {
                tracing::warn!(%error, "revocations are not heard of; tokens are refused if this lasts");
                failing = true;
            }
        }
    }
}

async fn catch_up(guard: &Guard, client: &PooledClient, source: &FeedSource) -> Result<(), FeedError> {
    loop {
        let base = source.auth_url.trim_end_matches('/');
        let uri: Uri = format!("{base}/v1/enforcement?since={}", guard.cursor()).parse()?;
        let asked_at = guard.clock().now();
        let body = get(client, &uri, Some(source.service_token.expose_secret())).await?;
        let page: Page = serde_json::from_slice(&body)?;
        guard.hear(&page, asked_at);
        if !page.more {
            return Ok(());
        }
    }
}
