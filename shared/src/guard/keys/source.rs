//! One issuer whose keys are fetched: what is wanted of it, and how it answers.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};

use super::wishes::{Wish, Wishes};
use crate::clock::UtcMicros;
use crate::token::KeySet;

/// How long a request may wait for the issuer's word on the key of its token.
const WORD_TIMEOUT: Duration = Duration::from_secs(1);

/// Shared by the task that fetches the keys and by the requests that want one.
#[derive(Debug, Default)]
pub(in crate::guard) struct KeySource {
    state: Mutex<State>,
    wanted: Notify,
    /// Changes with every answer, and with every failure.
    words: watch::Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    wishes: Wishes,
    health: KeyHealth,
}

/// How an issuer has answered for its keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyHealth {
    /// Questions without a usable answer since the last that had one.
    pub failures: u64,
    /// When the last question was put that was answered with keys.
    pub answered_at: Option<UtcMicros>,
}

impl KeySource {
    /// Whether the token's key is one that only the issuer could tell of, which cannot be asked at the moment.
    pub(in crate::guard) fn is_undecided(&self, kid: Option<&str>, now: UtcMicros) -> bool {
        let mut state = self.state();
        let wish = kid.map(|kid| state.wishes.wish(kid, now));
        if wish == Some(Wish::Asked) {
            self.wanted.notify_one();
        }
        state.health.failures > 0 || wish == Some(Wish::Asked)
    }

    /// Whether the issuer's word on `kid` is still to come.
    fn is_pending(&self, kid: &str) -> bool {
        self.state().wishes.is_pending(kid)
    }

    /// Waits for the issuer's word on `kid`, as long as a request may; whether it was still to come.
    pub(in crate::guard) async fn word_on(&self, kid: &str) -> bool {
        let mut words = self.words.subscribe();
        if !self.is_pending(kid) {
            return false;
        }
        let told = async { while self.is_pending(kid) && words.changed().await.is_ok() {} };
        // Without a word the key is as unknown as before.
        tokio::time::timeout(WORD_TIMEOUT, told).await.unwrap_or_default();
        true
    }

    pub(in crate::guard) fn health(&self) -> KeyHealth {
        self.state().health
    }

    /// Waits until a key is wanted that no question was put for.
    pub(super) async fn wanted(&self) {
        while !self.state().wishes.are_any() {
            self.wanted.notified().await;
        }
    }

    pub(super) fn begin(&self) {
        self.state().wishes.begin();
    }

    pub(super) fn answered(&self, keys: &KeySet, asked_at: UtcMicros) {
        let mut state = self.state();
        state.wishes.answered(keys, asked_at);
        state.health = KeyHealth {
            failures: 0,
            answered_at: Some(asked_at),
        };
        drop(state);
        self.words.send_replace(());
    }

    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.wishes.failed();
        state.health.failures += 1;
        drop(state);
        self.words.send_replace(());
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
