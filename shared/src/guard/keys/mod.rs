//! Keeps the keys of issuers fresh: asks regularly, and sooner when a token names a key that is not known.
//!
//! Where to ask comes from settings; a token can only say that it is time to, and that not often.

mod copies;
mod fetch;
mod source;
mod wishes;

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use tokio::time::sleep;

use super::Guard;
use crate::http::client::PooledClient;
use crate::runtime::Backoff;
use crate::token::HeardKeys;
use copies::CopyError;
pub use copies::KeyCopies;
pub use fetch::{Fetched, RefreshError, fetch};
pub use source::KeyHealth;
pub(super) use source::KeySource;

/// How much later than planned keys may be refreshed before they are called stale.
const STALE_AFTER: Duration = Duration::from_secs(30);

/// Where the keys of an issuer are. Always from settings, never from a token.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyOrigin {
    /// The issuer's `iss`.
    pub iss: String,
    /// The address of its JSON Web Key Set.
    pub jwks: Uri,
}

/// Keeps the keys of an issuer fresh until it is dropped. Begins with the copy on disk, if there is one and nothing better.
pub async fn keep_fresh(
    guard: Arc<Guard>,
    client: PooledClient,
    origin: KeyOrigin,
    copies: Option<KeyCopies>,
) {
    Keeper {
        source: guard.key_source(&origin.iss),
        guard,
        client,
        origin,
        copies,
        is_failing: false,
    }
    .run()
    .await;
}

struct Keeper {
    guard: Arc<Guard>,
    source: Arc<KeySource>,
    client: PooledClient,
    origin: KeyOrigin,
    copies: Option<KeyCopies>,
    is_failing: bool,
}

impl Keeper {
    async fn run(mut self) {
        self.recall().await;
        let mut backoff = Backoff::default();
        loop {
            self.source.begin();
            let asked_at = self.guard.clock().now();
            match fetch(&self.client, &self.origin.jwks).await {
                Ok(fetched) => {
                    backoff.reset();
                    let fresh_until = asked_at.plus(fetched.fresh_for + STALE_AFTER);
                    let heard = HeardKeys {
                        at: asked_at,
                        fresh_until,
                    };
                    let is_first = self.guard.hear_keys(&self.origin.iss, &fetched.keys, heard);
                    self.source.answered(&fetched.keys, asked_at);
                    self.tell_success(is_first);
                    self.keep_copy(&fetched, heard).await;
                    tokio::select! {
                        () = sleep(jittered(fetched.fresh_for)) => {}
                        () = self.source.wanted() => {}
                    }
                }
                Err(error) => {
                    self.source.failed();
                    self.tell_failure(&error);
                    backoff.wait().await;
                }
            }
        }
    }

    fn tell_success(&mut self, is_first: bool) {
        let iss = &self.origin.iss;
        if std::mem::take(&mut self.is_failing) {
            tracing::info!(token.iss = iss, "the issuer's keys can be fetched again");
        } else if is_first {
            tracing::info!(token.iss = iss, "the issuer's keys are known");
        }
    }

    /// Once, however often it fails.
    fn tell_failure(&mut self, error: &RefreshError) {
        let iss = &self.origin.iss;
        if std::mem::replace(&mut self.is_failing, true) {
            tracing::debug!(token.iss = iss, %error, "the issuer's keys still cannot be fetched");
        } else {
            tracing::warn!(token.iss = iss, %error, "the issuer's keys cannot be fetched; those known stay in force");
        }
    }

    async fn recall(&self) {
        let now = self.guard.clock().now();
        let Some(copies) = self
            .copies
            .clone()
            .filter(|_| !self.guard.has_heard_keys(&self.origin.iss))
        else {
            return;
        };
        let origin = self.origin.clone();
        match on_disk(move || copies.recall(&origin, now)).await {
            Ok(Some((keys, at))) => {
                // Stale from the beginning: nobody has said that they are still so.
                let heard = HeardKeys { at, fresh_until: at };
                self.guard.hear_keys(&self.origin.iss, &keys, heard);
                tracing::info!(token.iss = self.origin.iss, fetched_at = %at, "the issuer's keys are known from a copy");
            }
            Ok(None) => {}
            Err(error) => {
                tracing::warn!(token.iss = self.origin.iss, %error, "the copy of the issuer's keys is not used");
            }
        }
    }

    async fn keep_copy(&self, fetched: &Fetched, heard: HeardKeys) {
        let Some(copies) = self.copies.clone() else { return };
        let (origin, body) = (self.origin.clone(), fetched.body.clone());
        if let Err(error) = on_disk(move || copies.keep(&origin, &body, heard.at)).await {
            tracing::warn!(token.iss = self.origin.iss, %error, "the issuer's keys could not be copied to disk");
        }
    }
}

/// Up to an eighth sooner, so that replicas do not march in step.
fn jittered(wait: Duration) -> Duration {
    let (random, _) = uuid::Uuid::new_v4().as_u64_pair();
    wait.saturating_sub(wait / 8 * u32::from(random.to_le_bytes()[0]) / u32::from(u8::MAX))
}

/// Where it may wait for the disk.
async fn on_disk<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|died| Err(std::io::Error::other(died).into()))
}
