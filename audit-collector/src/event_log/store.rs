//! Appends to the log: one transaction for a batch with its events and dead letters.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Purpose, SqliteTx, Tx, execute};
use shared::event::event_id;
use sqlx::{AssertSqlSafe, Postgres, Transaction};
use uuid::Uuid;

use super::recent::{Member, Origin};
use super::row::{Row, is_suspect};
use super::sort::{Stored, batch_digest, sort};
use super::{Appended, Arrival, EventLog, ID_CONFLICT, Keeping, REPEATED};
use crate::dead_letter::{self, DeadLetter};

/// Rows in one statement on SQLite, which takes 32,766 values; one text for full chunks keeps it prepared.
const SQLITE_ROWS_MAX: usize = 64;

/// The statement for as many rows as one takes: its text is made once, and what SQLite makes of it is kept.
static INSERT_SQLITE_ROWS: LazyLock<String> = LazyLock::new(|| insert_sqlite(SQLITE_ROWS_MAX));

/// The first and the last id choose the partitions. The ids themselves come from a query of their own, which is hidden from who plans: it
/// would take each of them to each partition, for longer than all of them are looked up (20 ms for 1,800).
const SELECT_BODIES: &str = "SELECT id, body, sealed FROM event WHERE id BETWEEN $1 AND $2 AND id = ANY(ARRAY(SELECT UNNEST($3::uuid[])))";

/// How often a batch is tried that another collector stores as well at that moment. Once is enough unless both go on.
const RACES_MAX: usize = 3;

/// The columns of the table `event`.
pub(crate) const COLUMNS: &str = "id, class, time, batch_id, ordinal, time_suspect, service, instance, boot, seq, action, outcome, \
    reason, identity, sub, username, client_id, sid, jti, ip, route, template, path, status, request_id, body, method, \
    duration_us, country, asn, sealed";

impl EventLog {
    /// Stores what is new of a batch, all or nothing. When this returns, it survives the loss of power.
    ///
    /// Events that are stored already are counted; those with the id of another event become dead letters unless they are imported, and so
    /// does what a service has reported before, under its new number.
    pub async fn append(
        &self,
        arrivals: &[Arrival],
        dead: &[DeadLetter],
        recorded_at: UtcMicros,
    ) -> Result<Appended, DatabaseError> {
        for _ in 1..RACES_MAX {
            match self.append_once(arrivals, dead, recorded_at).await {
                Err(DatabaseError::Raced) => {}
                decided => return decided,
            }
        }
        self.append_once(arrivals, dead, recorded_at).await
    }

    /// Why an event would be kept apart if it came now, if so.
    pub(crate) async fn clash(&self, arrival: &Arrival) -> Result<Option<&'static str>, DatabaseError> {
        let arrivals = std::slice::from_ref(arrival);
        let mut tx = self.database.read().await?;
        let stored = stored_bodies(&mut tx, arrivals).await?;
        tx.commit().await?;
        let sorted = sort(arrivals, &stored, self.pseudonyms());
        let conflict = sorted.conflicts.first().map(|_| ID_CONFLICT);
        Ok(conflict.or_else(|| sorted.repeats.first().map(|_| REPEATED)))
    }

    async fn append_once(
        &self,
        arrivals: &[Arrival],
        dead: &[DeadLetter],
        recorded_at: UtcMicros,
    ) -> Result<Appended, DatabaseError> {
        let batch = event_id(recorded_at);
        let appending = async {
            let mut tx = self.database.begin().await?;
            let stored = stored_bodies(&mut tx, arrivals).await?;
            let sorted = sort(arrivals, &stored, self.pseudonyms());
            let fresh = self.keeping(&sorted.fresh)?;
            if !fresh.is_empty() {
                insert_batch(&mut tx, batch, &fresh, recorded_at).await?;
                insert_events(&mut tx, batch, &fresh, recorded_at).await?;
            }
            let conflicts = sorted.conflicts.iter().map(|arrival| (arrival, ID_CONFLICT));
            let repeats = sorted.repeats.iter().map(|arrival| (arrival, REPEATED));
            let apart = conflicts
                .chain(repeats)
                // Whoever imports a log has it still, and is told.
                .filter(|(arrival, _)| !arrival.event.source.is_import())
                .map(|(arrival, reason)| arrival.set_apart(reason));
            for letter in dead.iter().cloned().chain(apart) {
                dead_letter::insert(&mut tx, &letter, recorded_at).await?;
            }
            tx.commit().await?;
            Ok((sorted, fresh))
        };
        let (sorted, fresh) = self.database.in_time(Purpose::Write, appending).await?;
        if !fresh.is_empty() {
            self.recent.keep(
                batch,
                members(&fresh, recorded_at),
                Origin::Stored,
                Instant::now(),
            );
            self.newest.send_replace(Some(batch));
        }
        Ok(Appended {
            stored: fresh.len(),
            duplicates: sorted.duplicates,
            repeats: sorted.repeats.len(),
            conflicts: sorted.conflicts.iter().map(|arrival| arrival.event.id).collect(),
        })
    }
}

/// What is stored under the ids of `arrivals`, in whatever class: an id is unique over all of them.
async fn stored_bodies(
    tx: &mut Tx<'_>,
    arrivals: &[Arrival],
) -> Result<HashMap<Uuid, Stored>, DatabaseError> {
    let ids: Vec<Uuid> = arrivals.iter().map(|arrival| arrival.event.id).collect();
    let rows: Vec<(Uuid, Vec<u8>, Option<Vec<u8>>)> = match tx {
        Tx::Postgres(tx) => {
            sqlx::query_as(SELECT_BODIES)
                // Planned each time: a plan that was kept from an empty table would read all of a full one.
                .persistent(false)
                .bind(ids.iter().min())
                .bind(ids.iter().max())
                .bind(&ids)
                .fetch_all(&mut **tx)
                .await?
        }
        Tx::Sqlite(tx) => {
            // As one JSON value, so that the text is the same for every number of ids.
            let ids: Vec<String> = ids.iter().map(|id| format!("\"{}\"", id.simple())).collect();
            let select =
                "SELECT id, body, sealed FROM event WHERE id IN (SELECT unhex(value) FROM json_each($1))";
            sqlx::query_as(select)
                .bind(format!("[{}]", ids.join(",")))
                .fetch_all(&mut **tx)
                .await?
        }
    };
    let stored = |(id, body, sealed)| (id, Stored { body, sealed });
    Ok(rows.into_iter().map(stored).collect())
}

async fn insert_batch(
    tx: &mut Tx<'_>,
    batch: Uuid,
    fresh: &[Keeping],
    recorded_at: UtcMicros,
) -> Result<(), DatabaseError> {
    let digest = batch_digest(fresh.iter().map(|keeping| &*keeping.arrival.body));
    let insert = "INSERT INTO batch (id, recorded_at, events, digest) VALUES ($1, $2, $3, $4)";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(batch)
            .bind(recorded_at.as_micros())
            .bind(ordinal(fresh.len()))
            .bind(digest.to_vec())
    )?;
    Ok(())
}

/// The events of a batch as they are stored, for those who follow the log.
fn members(fresh: &[Keeping], recorded_at: UtcMicros) -> Vec<Member> {
    let member = |(index, keeping): (usize, &Keeping)| Member {
        ordinal: ordinal(index),
        time_suspect: is_suspect(&keeping.arrival.event, recorded_at),
        locality: keeping.locality,
        event: Some(Arc::clone(&keeping.arrival.event)),
        body: keeping.arrival.body.clone(),
        original: keeping.original.clone(),
    };
    fresh.iter().enumerate().map(member).collect()
}

async fn insert_events(
    tx: &mut Tx<'_>,
    batch: Uuid,
    fresh: &[Keeping],
    recorded_at: UtcMicros,
) -> Result<(), DatabaseError> {
    let mut rows: Vec<Row<'_>> = fresh
        .iter()
        .enumerate()
        .map(|(index, keeping)| Row::of(keeping, ordinal(index), recorded_at))
        .collect();
    match tx {
        Tx::Sqlite(tx) => {
            for rows in rows.chunks(SQLITE_ROWS_MAX) {
                insert_rows_sqlite(tx, batch, rows).await?;
            }
            Ok(())
        }
        Tx::Postgres(tx) => {
            // In one order everywhere: collectors with the same events wait for each other instead of locking up.
            rows.sort_unstable_by_key(|row| row.id);
            insert_rows_postgres(tx, batch, &rows)
                .await
                .map_err(raced_or_failed)
        }
    }
}

/// An id that is there by now is one that another collector has committed since we looked. The next try finds it stored.
fn raced_or_failed(error: sqlx::Error) -> DatabaseError {
    let is_there = error
        .as_database_error()
        .is_some_and(sqlx::error::DatabaseError::is_unique_violation);
    if is_there {
        DatabaseError::Raced
    } else {
        error.into()
    }
}

async fn insert_rows_sqlite(tx: &mut SqliteTx, batch: Uuid, rows: &[Row<'_>]) -> Result<(), sqlx::Error> {
    let is_full = rows.len() == SQLITE_ROWS_MAX;
    let mut query = if is_full {
        sqlx::query(INSERT_SQLITE_ROWS.as_str())
    } else {
        sqlx::query(AssertSqlSafe(insert_sqlite(rows.len())))
    };
    for row in rows {
        query = query
            .bind(row.id)
            .bind(row.class)
            .bind(row.time)
            .bind(batch)
            .bind(row.ordinal)
            .bind(row.time_suspect)
            .bind(row.service)
            .bind(row.instance)
            .bind(row.boot)
            .bind(row.seq)
            .bind(&*row.action)
            .bind(row.outcome)
            .bind(row.reason.as_deref())
            .bind(row.identity)
            .bind(row.sub.as_deref())
            .bind(row.username.as_deref())
            .bind(row.client_id.as_deref())
            .bind(row.sid.as_deref())
            .bind(row.jti.as_deref())
            .bind(row.ip.as_ref().map(<[u8; 16]>::as_slice))
            .bind(row.route.as_deref())
            .bind(row.template.as_deref())
            .bind(row.path.as_deref())
            .bind(row.status)
            .bind(row.request_id.as_deref())
            .bind(row.body)
            .bind(row.method.as_deref())
            .bind(row.duration_us)
            .bind(row.country())
            .bind(row.asn())
            .bind(row.sealed);
    }
    query.persistent(is_full).execute(&mut **tx).await?;
    Ok(())
}

/// The statement for so many rows on SQLite.
fn insert_sqlite(rows: usize) -> String {
    let columns = COLUMNS.split(',').count();
    let row = format!("({})", vec!["?"; columns].join(","));
    format!(
        "INSERT INTO event ({COLUMNS}) VALUES {}",
        vec![row; rows].join(",")
    )
}

async fn insert_rows_postgres(
    tx: &mut Transaction<'_, Postgres>,
    batch: Uuid,
    rows: &[Row<'_>],
) -> Result<(), sqlx::Error> {
    /// One column of all rows, as an array.
    macro_rules! column {
        ($row:ident => $value:expr) => {
            rows.iter().map(|$row| $value).collect::<Vec<_>>()
        };
    }
    let insert = format!(
        "INSERT INTO event ({COLUMNS}) \
         SELECT id, class, time, $1, ordinal, time_suspect, service, instance, boot, seq, action, outcome, \
             reason, identity, sub, username, client_id, sid, jti, ip, route, template, path, status, request_id, body, \
             method, duration_us, country, asn, sealed \
         FROM UNNEST($2::uuid[], $3::text[], $4::bigint[], $5::int[], $6::bool[], $7::text[], $8::text[], $9::uuid[], \
             $10::bigint[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[], \
             $18::text[], $19::text[], $20::bytea[], $21::text[], $22::text[], $23::text[], $24::int[], $25::text[], \
             $26::bytea[], $27::text[], $28::bigint[], $29::text[], $30::bigint[], $31::bytea[]) \
         AS fresh (id, class, time, ordinal, time_suspect, service, instance, boot, seq, action, outcome, \
             reason, identity, sub, username, client_id, sid, jti, ip, route, template, path, status, request_id, body, \
             method, duration_us, country, asn, sealed)"
    );
    sqlx::query(AssertSqlSafe(insert))
        .bind(batch)
        .bind(column!(row => row.id))
        .bind(column!(row => row.class))
        .bind(column!(row => row.time))
        .bind(column!(row => row.ordinal))
        .bind(column!(row => row.time_suspect))
        .bind(column!(row => row.service))
        .bind(column!(row => row.instance))
        .bind(column!(row => row.boot))
        .bind(column!(row => row.seq))
        .bind(column!(row => &*row.action))
        .bind(column!(row => row.outcome))
        .bind(column!(row => row.reason.as_deref()))
        .bind(column!(row => row.identity))
        .bind(column!(row => row.sub.as_deref()))
        .bind(column!(row => row.username.as_deref()))
        .bind(column!(row => row.client_id.as_deref()))
        .bind(column!(row => row.sid.as_deref()))
        .bind(column!(row => row.jti.as_deref()))
        .bind(column!(row => row.ip.as_ref().map(<[u8; 16]>::as_slice)))
        .bind(column!(row => row.route.as_deref()))
        .bind(column!(row => row.template.as_deref()))
        .bind(column!(row => row.path.as_deref()))
        .bind(column!(row => row.status))
        .bind(column!(row => row.request_id.as_deref()))
        .bind(column!(row => row.body))
        .bind(column!(row => row.method.as_deref()))
        .bind(column!(row => row.duration_us))
        .bind(column!(row => row.country()))
        .bind(column!(row => row.asn()))
        .bind(column!(row => row.sealed))
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// A count as SQL holds it. Batches and messages are far smaller than what it can hold.
fn ordinal(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}
