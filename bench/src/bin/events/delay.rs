//! How long it takes from the moment an event is handed to the broker until a search finds it, or until the alert that it raises stands.

use std::time::{Duration, Instant};

use bench::Outcome;
use sqlx::postgres::PgPool;
use tokio::time::{MissedTickBehavior, interval};

use crate::prepared::Prepared;
use crate::servers::Servers;

/// Probes in a measurement.
const PROBES: usize = 300;

/// How often one is sent.
const PROBE_EVERY: Duration = Duration::from_millis(20);

/// The longest that one is waited for.
const DELAY_MAX: Duration = Duration::from_mins(1);

/// How often the store is asked: the resolution.
const ASK_EVERY: Duration = Duration::from_micros(500);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Until {
    /// The event is found by its id.
    Found,
    /// The alert that it raises stands.
    Alert,
}

/// Delays, in order.
pub(crate) async fn measure(
    servers: &Servers,
    prefix: &str,
    (pool, until): (&PgPool, Until),
) -> Outcome<Vec<Duration>> {
    let mut prepared = Prepared::new()?;
    let mut publisher = servers.publisher(prefix)?;
    let mut delays = Vec::with_capacity(PROBES);
    let mut ticks = interval(PROBE_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..PROBES {
        ticks.tick().await;
        let (event, select, text) = match until {
            Until::Found => {
                let event = prepared.next()?;
                let id = shared::event::wire::decode(&event.body)?.id;
                (event, FOUND, id.to_string())
            }
            Until::Alert => {
                let (event, address) = prepared.trick()?;
                (event, RAISED, format!("[\"{address}\"]"))
            }
        };
        let began = Instant::now();
        let messages = [event];
        let (confirmed, found) = tokio::join!(
            publisher.publish(&messages),
            until_there(pool, (select, &text), began)
        );
        confirmed?;
        delays.push(found?);
    }
    delays.sort_unstable();
    Ok(delays)
}

const FOUND: &str = "SELECT EXISTS (SELECT 1 FROM event WHERE id = $1::uuid)";
const RAISED: &str =
    "SELECT EXISTS (SELECT 1 FROM alert WHERE rule_id = 'token-algorithm-trick' AND group_values = $1)";

async fn until_there(
    pool: &PgPool,
    (select, text): (&'static str, &str),
    began: Instant,
) -> Outcome<Duration> {
    loop {
        let there: (bool,) = sqlx::query_as(select).bind(text).fetch_one(pool).await?;
        if there.0 {
            return Ok(began.elapsed());
        }
        if began.elapsed() > DELAY_MAX {
            return Err(format!("{text} did not come in time").into());
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}
