//! How long it takes from the moment an event is handed to the broker until a search finds it.

use std::time::{Duration, Instant};

use bench::Outcome;
use sqlx::postgres::PgPool;
use tokio::time::{MissedTickBehavior, interval};
use uuid::Uuid;

use crate::prepared::Prepared;
use crate::servers::Servers;

/// Probes in a measurement.
const PROBES: usize = 300;

/// How often one is sent.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// How often the store is asked: the resolution.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// Delays, in order.
pub(crate) async fn measure(servers: &Servers, prefix: &str, pool: &PgPool) -> Outcome<Vec<Duration>> {
    let mut prepared = Prepared::new()?;
    let mut publisher = servers.publisher(prefix)?;
    let mut delays = Vec::with_capacity(PROBES);
    let mut ticks = interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..PROBES {
        ticks.tick().await;
        let event = prepared.next()?;
        let id = shared::event::wire::decode(&event.body)?.id;
        let began = Instant::now();
        let messages = [event];
        let (confirmed, found) = tokio::join!(publisher.publish(&messages), until_found(pool, id, began));
        confirmed?;
        delays.push(found?);
    }
    delays.sort_unstable();
    Ok(delays)
}

async fn until_found(pool: &PgPool, id: Uuid, began: Instant) -> Outcome<Duration> {
    loop {
        let found: (bool,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM event WHERE id = $1)")
            .bind(id)
            .fetch_one(pool)
            .await?;
        if found.0 {
            return Ok(began.elapsed());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
