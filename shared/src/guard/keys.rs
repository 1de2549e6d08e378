//! Keeps the keys of issuers fresh: asks regularly, and sooner when a token names a key that is not known.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::Guard;
use crate::http::client::{CallError, PooledClient, get};
use crate::runtime::Backoff;
use crate::token::{JwksError, KeySet};

/// How often keys are asked for.
const REFRESH_EVERY: Duration = Duration::from_mins(5);

/// The least time between two questions, so that tokens with invented key ids cannot make us flood an issuer.
const REFRESH_PAUSE: Duration = Duration::from_secs(10);

/// Asks for an issuer's keys sooner than planned.
#[derive(Clone, Debug, Default)]
pub struct KeyRefresh {
    wanted: HashMap<String, Arc<Notify>>,
}

impl KeyRefresh {
    /// For the issuers in `names`.
    pub fn for_issuers<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        Self {
            wanted: names
                .into_iter()
                .map(|iss| (iss.to_owned(), Arc::default()))
                .collect(),
        }
    }

    /// Says that a token of `iss` named an unknown key. Does nothing for an issuer whose keys are not fetched.
    pub fn want(&self, iss: &str) {
        if let Some(wanted) = self.wanted.get(iss) {
            wanted.notify_one();
        }
    }

    fn of(&self, iss: &str) -> Arc<Notify> {
        self.wanted.get(iss).cloned().unwrap_or_default()
    }
}

/// Why keys could not be refreshed; those known stay in force.
#[derive(Debug, thiserror::Error)]
pub enum RefreshError {
    /// The set could not be fetched.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What came is no key set.
    #[error(transparent)]
    Keys(#[from] JwksError),
}

/// Keeps the keys of `iss` fresh until it is dropped. `jwks` comes from settings, never from a token.
pub async fn keep_fresh(
    guard: Arc<Guard>,
    refresh: KeyRefresh,
    client: PooledClient,
    iss: String,
    jwks: Uri,
) {
    let wanted = refresh.of(&iss);
    let mut backoff = Backoff::default();
    let (mut known, mut failing) = (false, false);
    loop {
        match fetch(&client, &jwks).await {
            Ok(keys) => {
                if !known {
                    tracing::info!(token.iss = iss, "the issuer's keys are known");
                }
                known = true;
                failing = false;
                guard.set_keys(&iss, keys);
                backoff.reset();
                let asked_at = Instant::now();
                tokio::select! {
                    () = sleep_until(asked_at + REFRESH_EVERY) => {}
                    () = wanted.notified() => sleep_until(asked_at + REFRESH_PAUSE).await,
                }
            }
            Err(error) => {
                if failing {
                    tracing::debug!(token.iss = iss, %error, "the issuer's keys still cannot be fetched");
                } else {
                    tracing::warn!(token.iss = iss, %error, "the issuer's keys cannot be fetched; those known stay in force");
                }
                failing = true;
                backoff.wait().await;
            }
        }
    }
}

/// Asks for a key set once.
pub async fn fetch(client: &PooledClient, jwks: &Uri) -> Result<KeySet, RefreshError> {
    let body = get(client, jwks, None).await?;
    Ok(KeySet::from_jwks(&body)?)
}
