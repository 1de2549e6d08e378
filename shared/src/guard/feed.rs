//! Follows auth-service's enforcement log: by its announcements, and by its cursor.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use secrecy::{ExposeSecret as _, SecretString};

use bytes::Bytes;
use futures_util::stream::{Stream, StreamExt as _};
use tokio::time::{Instant, sleep_until};

use super::Guard;
use crate::enforcement::{Announcement, Page};
use crate::http::client::{CallError, PooledClient, get};
use crate::transport::{ConsumeError, Listener};

/// How often a verifier without a live feed asks (DESIGN §3): a revocation is in force within about a second.
const POLL_EVERY: Duration = Duration::from_secs(1);

/// How often it asks while announcements come: asking alone tells that none is missing, and [`crate::enforcement::BLIND_MAX`]
/// leaves room for one answer that is late.
const POLL_IF_ALIVE: Duration = Duration::from_secs(2);

/// The least time between two questions, however much is missed.
const POLL_PAUSE: Duration = Duration::from_millis(50);

/// Auth-service says something each second; after so long without a word the feed is none.
const ALIVE_FOR: Duration = Duration::from_millis(2_500);

/// Where the log is and what a service shows to read it.
#[derive(Debug)]
pub struct FeedSource {
    /// The address of auth-service, without a path.
    pub auth_url: String,
    /// The secret that services share.
    pub service_token: SecretString,
    /// What hears announcements of it ([`crate::transport::Word::Enforcement`]).
    pub listener: Listener,
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

/// Follows the log until it is dropped: by what is announced, which is in force at once, and by asking, which alone tells that
/// nothing is missing.
pub async fn follow(guard: Arc<Guard>, client: PooledClient, source: FeedSource) {
    let FeedSource {
        auth_url,
        service_token,
        listener,
    } = source;
    let log = Log {
        auth_url,
        service_token,
    };
    let mut ears = Ears::new(listener);
    let mut failing = false;
    loop {
        match log.catch_up(&guard, &client).await {
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
        ears.listen(&guard, failing).await;
    }
}

/// What hears announcements, and whether there are any.
struct Ears {
    /// What is announced. A stream, so that a connection that takes longer than a poll is not begun again each time.
    words: Pin<Box<dyn Stream<Item = Result<Bytes, ConsumeError>> + Send>>,
    /// When the last word was heard; a feed that is silent for longer than [`ALIVE_FOR`] is none.
    heard_at: Option<Instant>,
    told: bool,
}

impl Ears {
    fn new(listener: Listener) -> Self {
        Self {
            words: Box::pin(listener.words()),
            heard_at: None,
            told: false,
        }
    }

    /// Listens until it is time to ask again: after a while, or at once when something was missed.
    async fn listen(&mut self, guard: &Guard, failing: bool) {
        let asked_at = Instant::now();
        loop {
            let is_alive = self.heard_at.is_some_and(|at| at.elapsed() < ALIVE_FOR);
            let pause = if is_alive && !failing {
                POLL_IF_ALIVE
            } else {
                POLL_EVERY
            };
            tokio::select! {
                () = sleep_until(asked_at + pause) => return,
                Some(word) = self.words.next() => match word {
                    Ok(body) => {
                        self.heard();
                        if !take(guard, &body) {
                            // Not more often than the log can answer.
                            sleep_until(asked_at + POLL_PAUSE).await;
                            return;
                        }
                    }
                    Err(error) => self.failed(&error),
                },
            }
        }
    }

    fn heard(&mut self) {
        if self.told {
            tracing::info!("revocations are announced again");
            self.told = false;
        }
        self.heard_at = Some(Instant::now());
    }

    fn failed(&mut self, error: &ConsumeError) {
        if !self.told {
            tracing::warn!(%error, "revocations are not announced; they are asked for every second");
            self.told = true;
        }
        self.heard_at = None;
    }
}

/// Whether nothing is missing after what was announced.
fn take(guard: &Guard, body: &[u8]) -> bool {
    match serde_json::from_slice::<Announcement>(body) {
        Ok(announcement) => guard.hear_announcement(&announcement),
        Err(error) => {
            tracing::warn!(%error, "an announcement cannot be read; the log is asked instead");
            false
        }
    }
}

/// The log as it is asked.
struct Log {
    auth_url: String,
    service_token: SecretString,
}

impl Log {
    async fn catch_up(&self, guard: &Guard, client: &PooledClient) -> Result<(), FeedError> {
        loop {
            let base = self.auth_url.trim_end_matches('/');
            let uri: Uri = format!("{base}/v1/enforcement?since={}", guard.cursor()).parse()?;
            let asked_at = guard.clock().now();
            let body = get(client, &uri, Some(self.service_token.expose_secret())).await?;
            let page: Page = serde_json::from_slice(&body)?;
            guard.hear(&page, asked_at);
            if !page.more {
                return Ok(());
            }
        }
    }
}
