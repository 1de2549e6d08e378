//! The same on SQLite: rows that are stored, once more into the same table, by one statement for each.

use std::path::Path;
use std::time::{Duration, Instant};

use bench::Outcome;
use bench::process::cpu_of;
use shared::clock::{Clock as _, SystemClock};
use shared::event::event_id;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::drain::{Cost, Memory};

/// Copies the rows of that range under other ids and in another batch. It is all done by SQLite, so that nothing is encoded.
const INSERT: &str = "INSERT INTO event (id, class, time, batch_id, ordinal, time_suspect, service, instance, boot, seq, \
    action, outcome, reason, identity, sub, username, client_id, sid, jti, ip, route, template, path, status, request_id, body, \
    method, duration_us) \
    SELECT unhex(printf('%012x', CAST(unixepoch('subsec') * 1000 AS INTEGER)) || hex(randomblob(10))), class, time, $3, ordinal, time_suspect, service, instance, boot, seq, action, outcome, reason, \
    identity, sub, username, client_id, sid, jti, ip, route, template, path, status, request_id, body, method, duration_us \
    FROM event WHERE rowid > $1 AND rowid <= $1 + $2";

/// Inserts so many rows, so many in a transaction, with the settings that a collector's writer has.
pub(crate) async fn insert(path: &Path, events: u64, batch: u64) -> Outcome<Cost> {
    let mut connection: SqliteConnection = SqliteConnectOptions::new()
        .filename(path)
        .pragma("synchronous", "FULL")
        .pragma("cache_size", "-65536")
        .pragma("wal_autocheckpoint", "16384")
        .connect()
        .await?;
    let (began, own) = (Instant::now(), cpu_of(std::process::id())?);
    for from in (0..events).step_by(usize::try_from(batch)?) {
        let mut tx = connection.begin().await?;
        sqlx::query(INSERT)
            .bind(i64::try_from(from)?)
            .bind(i64::try_from(batch)?)
            .bind(event_id(SystemClock.now()))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
    }
    let cost = Cost {
        events,
        took: began.elapsed(),
        client: cpu_of(std::process::id())?.saturating_sub(own),
        database: Duration::ZERO,
        broker: Duration::ZERO,
        memory: Memory::default(),
    };
    connection.close().await?;
    Ok(cost)
}
