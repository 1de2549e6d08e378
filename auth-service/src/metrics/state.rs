//! Gauges of what is at this moment, asked before each reading.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::app::App;
use crate::{enforcement, outbox};
use shared::database::DatabaseError;

/// Seconds, or nothing known: not a number rather than a number that was true once.
type Seconds = Gauge<f64, AtomicU64>;

/// The gauges. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    forwarding: Gauge,
    outbox_rows: Seconds,
    outbox_oldest: Seconds,
    enforcement_head: Seconds,
    key_age: Seconds,
    key_change: Seconds,
    hashes_running: Gauge,
    hashes_waiting: Gauge,
}

impl State {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let state = Self::default();
        registry.register(
            "outbox_forwarding",
            "Whether the broker took the last events of this replica's relay",
            state.forwarding.clone(),
        );
        registry.register(
            "outbox_events",
            "Events that wait for the broker's confirm",
            state.outbox_rows.clone(),
        );
        registry.register_with_unit(
            "outbox_oldest_age",
            "Age of the oldest event that waits",
            Unit::Seconds,
            state.outbox_oldest.clone(),
        );
        registry.register(
            "enforcement_head",
            "The last entry of the enforcement log; a door that is behind has a lower cursor",
            state.enforcement_head.clone(),
        );
        registry.register_with_unit(
            "signing_key_age",
            "Age of the key that signs",
            Unit::Seconds,
            state.key_age.clone(),
        );
        registry.register_with_unit(
            "signing_key_change",
            "Time until the next key signs; not a number if it waits for a command",
            Unit::Seconds,
            state.key_change.clone(),
        );
        registry.register(
            "password_hashes_running",
            "Passwords that are being hashed",
            state.hashes_running.clone(),
        );
        registry.register(
            "password_hashes_waiting",
            "Passwords that wait to be hashed",
            state.hashes_waiting.clone(),
        );
        state
    }

    pub(super) async fn ask(&self, app: &App) {
        let load = app.hasher.load();
        self.hashes_running.set(load.running.into());
        self.hashes_waiting.set(load.waiting.into());
        self.forwarding.set(i64::from(app.relay.is_forwarding()));
        if self.ask_database(app).await.is_err() {
            let unknown = [
                &self.outbox_rows,
                &self.outbox_oldest,
                &self.enforcement_head,
                &self.key_age,
                &self.key_change,
            ];
            for gauge in unknown {
                gauge.set(f64::NAN);
            }
        }
    }

    async fn ask_database(&self, app: &App) -> Result<(), DatabaseError> {
        let mut tx = app.database.read().await?;
        let waiting = outbox::waiting(&mut tx).await?;
        let oldest = waiting.oldest.map(|oldest| app.now().since(oldest));
        self.outbox_rows.set(number(waiting.count));
        self.outbox_oldest
            .set(oldest.map_or(0.0, |age| age.as_secs_f64()));
        self.enforcement_head
            .set(number(enforcement::head(&mut tx).await?));
        let now = app.now();
        let (since, next) = app.keys.ring().schedule(now);
        let seconds =
            |duration: Option<Duration>| duration.map_or(f64::NAN, |duration| duration.as_secs_f64());
        self.key_age.set(seconds(since.map(|since| now.since(since))));
        self.key_change.set(seconds(next.map(|next| next.since(now))));
        Ok(())
    }
}

/// Exact up to 2^53, which no count here reaches.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn number(count: i64) -> f64 {
    count as f64
}
