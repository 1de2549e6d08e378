//! A pool that is replaced when the server was silent for too long.
//!
//! A connection whose peer vanished without a word can keep its permit for ever (sqlx issue 4349), until no permit is
//! left and every caller times out although the server is back. A new pool has all its permits.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

/// Silences in a row after which the pool is replaced: one may be a busy moment.
const SILENCES_MAX: u32 = 2;

/// A pool is not replaced again before this: in an outage or an overload new pools help nobody.
const REPLACED_AGAIN_AFTER: Duration = Duration::from_secs(30);

/// A pool of connections to PostgreSQL. Clones share it.
#[derive(Clone, Debug)]
pub struct RevivablePool(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    pool: ArcSwap<PgPool>,
    silences: AtomicU32,
    replaced_at: Mutex<Option<Instant>>,
    options: PgPoolOptions,
    target: PgConnectOptions,
}

impl RevivablePool {
    /// A pool that connects when it must.
    pub(super) fn new(options: PgPoolOptions, target: PgConnectOptions) -> Self {
        Self(Arc::new(Inner {
            pool: ArcSwap::from_pointee(options.clone().connect_lazy_with(target.clone())),
            silences: AtomicU32::new(0),
            replaced_at: Mutex::new(None),
            options,
            target,
        }))
    }

    /// The pool of this moment.
    pub fn get(&self) -> Arc<PgPool> {
        self.0.pool.load_full()
    }

    /// A transaction.
    pub(super) async fn begin(&self) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
        self.get().begin().await
    }

    /// Notes that the server answered.
    pub(super) fn forget_silence(&self) {
        self.0.silences.store(0, Ordering::Relaxed);
    }

    /// Notes that the server did not answer, and replaces the pool if that happens again and again.
    pub(super) fn count_silence(&self) {
        if self.0.silences.fetch_add(1, Ordering::Relaxed) + 1 < SILENCES_MAX {
            return;
        }
        self.forget_silence();
        let mut replaced_at = self.0.replaced_at.lock().unwrap_or_else(PoisonError::into_inner);
        if replaced_at.is_some_and(|moment| moment.elapsed() < REPLACED_AGAIN_AFTER) {
            return;
        }
        *replaced_at = Some(Instant::now());
        drop(replaced_at);
        let fresh = self.0.options.clone().connect_lazy_with(self.0.target.clone());
        let silent = self.0.pool.swap(Arc::new(fresh));
        tracing::debug!("the database is silent; its connections are given up and made anew");
        // Closing waits for connections that are lent out, which may never come back.
        tokio::spawn(async move { silent.close().await });
    }
}
