//! Fills the database: the rows by the server itself, the counts by the collector.

use std::time::{Duration, Instant};

use bench::Outcome;
use bench::statistics::count;
use shared::clock::{Clock as _, SystemClock};
use shared::runtime::cli::say;
use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{AssertSqlSafe, Executor as _};

/// Rows of one statement: whole batches.
const STEP: u64 = 250_000;

/// Connections that fill.
const LANES: u64 = 2;

/// Events of a batch, as in `fill.sql`.
const BATCH: u64 = 2_000;

/// How long the collector may take to count all of it.
const COUNTED_MAX: Duration = Duration::from_hours(1);

/// Makes the database, unless it is there; whether it was not.
pub(crate) async fn create(options: &PgConnectOptions, name: &str) -> Outcome<bool> {
    let admin = PgPool::connect_with(options.clone()).await?;
    let there: (bool,) = sqlx::query_as("SELECT EXISTS (SELECT 1 FROM pg_database WHERE datname = $1)")
        .bind(name)
        .fetch_one(&admin)
        .await?;
    if !there.0 {
        admin
            .execute(AssertSqlSafe(format!("CREATE DATABASE {name}")))
            .await?;
    }
    Ok(!there.0)
}

/// Stores so many events of the last thirty days in the tables that the collector has made.
pub(crate) async fn fill(pool: &PgPool, events: u64) -> Outcome<()> {
    let events = events / BATCH * BATCH;
    let began = Instant::now();
    pool.execute(include_str!("prepare.sql")).await?;
    let until = SystemClock.now().as_micros();
    let lanes = (0..LANES).map(|lane| fill_lane(pool, lane, (events, until)));
    futures_util::future::try_join_all(lanes).await?;
    let rows = began.elapsed();
    batches(pool, events, until).await?;
    let indexes: Vec<(String,)> = sqlx::query_as("SELECT definition FROM bench_index")
        .fetch_all(pool)
        .await?;
    for (definition,) in indexes {
        pool.execute(AssertSqlSafe(definition)).await?;
    }
    pool.execute("VACUUM ANALYZE event").await?;
    pool.execute("VACUUM ANALYZE batch").await?;
    let (bytes,): (i64,) = sqlx::query_as("SELECT pg_database_size(current_database())")
        .fetch_one(pool)
        .await?;
    say(&format!(
        "{events} events, {:.0} GB with all indexes; rows in {:.0} s, {:.0} a second, indexes in {:.0} s",
        count(bytes.cast_unsigned() >> 20) / 1024.0,
        rows.as_secs_f64(),
        count(events) / rows.as_secs_f64(),
        began.elapsed().saturating_sub(rows).as_secs_f64(),
    ));
    Ok(())
}

/// Every [`LANES`]th step.
async fn fill_lane(pool: &PgPool, lane: u64, (events, until): (u64, i64)) -> Outcome<()> {
    let mut first = lane * STEP;
    while first < events {
        let last = events.min(first + STEP) - 1;
        sqlx::query(include_str!("fill.sql"))
            .bind(i64::try_from(first)?)
            .bind(i64::try_from(last)?)
            .bind(i64::try_from(events)?)
            .bind(until)
            .execute(pool)
            .await?;
        first += STEP * LANES;
    }
    Ok(())
}

/// The batches in their order. What follows the log but for the counts takes them as read: nothing that is asked here comes of it.
async fn batches(pool: &PgPool, events: u64, until: i64) -> Outcome<()> {
    let mut tx = pool.begin().await?;
    sqlx::query(
        "INSERT INTO batch (id, recorded_at, events, digest, first_position) \
         SELECT bench_batch(recorded_at, number), recorded_at, $1, sha256('bench'), number * $1 + (SELECT size FROM log_state) \
         FROM generate_series(0, $2 / $1 - 1) AS number, \
             LATERAL (SELECT bench_time((number + 1) * $1, $2, $3) + 1000000 AS recorded_at) AS moment",
    )
    .bind(i64::try_from(BATCH)?)
    .bind(i64::try_from(events)?)
    .bind(until)
    .execute(&mut *tx)
    .await?;
    for skip in [
        "UPDATE log_state SET size = size + $1",
        // Its row may not be there yet, and is then as one that begins.
        "INSERT INTO completeness (id, position, state) SELECT 1, size + 0 * $1, jsonb_build_object( \
                'position', size, 'beats', 0, 'beat_at', NULL, 'stated_to', 0, 'stated_in', NULL)::text FROM log_state \
            ON CONFLICT (id) DO UPDATE SET position = excluded.position, \
                state = (completeness.state::jsonb || jsonb_build_object('position', excluded.position))::text",
        "UPDATE detection_state SET position = (SELECT size FROM log_state) + 0 * $1, memories_position = (SELECT size FROM log_state), \
            watermark = (SELECT MAX(recorded_at) FROM batch)",
    ] {
        sqlx::query(skip)
            .bind(i64::try_from(events)?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(tx.commit().await?)
}

/// Waits until the collector has counted all that is stored.
pub(crate) async fn counted(pool: &PgPool) -> Outcome<()> {
    let began = Instant::now();
    let select = "SELECT (SELECT size FROM log_state) - (SELECT position FROM rollup_state)";
    let mut before = None;
    loop {
        let (left,): (i64,) = sqlx::query_as(select).fetch_one(pool).await?;
        let first = *before.get_or_insert(left);
        if left == 0 {
            if first > 0 {
                let took = began.elapsed().as_secs_f64();
                let rate = count(first.cast_unsigned()) / took;
                say(&format!("counted in {took:.0} s, {rate:.0} a second"));
                pool.execute("VACUUM ANALYZE").await?;
                // What a month would have written in its time is not to be written while questions are asked.
                pool.execute("CHECKPOINT").await?;
            }
            return Ok(());
        }
        if began.elapsed() > COUNTED_MAX {
            return Err(format!("{left} of {first} are still not counted").into());
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}
