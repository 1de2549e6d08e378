//! The database of one boot: its events in order.
//!
//! The first row stands for all that was confirmed and is gone; what waits for its confirm is after it. So every event has the one
//! before it beside it, and the last number stays known.

use std::path::Path;

use rusqlite::types::FromSqlError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Row, Transaction, params};
use uuid::Uuid;

use super::damage::{Damage, Flaw};
use super::intent::Intent;
use super::record::Record;
use super::running_hash::RunningHash;
use crate::clock::UtcMicros;

pub(super) const DATABASE: &str = "spool.db";
pub(super) const WRITE_AHEAD_LOG: &str = "spool.db-wal";

// NORMAL: a commit is written, not synced; the writer syncs the log itself after each group.
const PRAGMAS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;";
const SCHEMA: &str =
    "CREATE TABLE event (seq INTEGER PRIMARY KEY, routing_key TEXT NOT NULL, body BLOB NOT NULL,
    running_hash BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT;
    CREATE TABLE intent (id BLOB PRIMARY KEY, time INTEGER NOT NULL, facts TEXT NOT NULL, checksum INTEGER NOT NULL)
    STRICT, WITHOUT ROWID;";
const IS_EMPTY: &str = "SELECT NOT EXISTS (SELECT 1 FROM sqlite_schema)";
const INSERT: &str =
    "INSERT INTO event (seq, routing_key, body, running_hash, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
const BYTES_BETWEEN: &str = "SELECT COALESCE(SUM(LENGTH(body)), 0) FROM event WHERE seq > ?1 AND seq <= ?2";
const DELETE_BEFORE: &str = "DELETE FROM event WHERE seq < ?1";
const SELECT_CONFIRMED: &str = "SELECT MIN(seq) FROM event";
const SELECT_LAST: &str = "SELECT MAX(seq) FROM event";
const SELECT_AFTER: &str = "SELECT seq, routing_key, body, running_hash, checksum FROM event
    WHERE seq > ?1 ORDER BY seq LIMIT ?2";
const INSERT_INTENT: &str = "INSERT INTO intent (id, time, facts, checksum) VALUES (?1, ?2, ?3, ?4)";
const DELETE_INTENT: &str = "DELETE FROM intent WHERE id = ?1";
const SELECT_INTENTS: &str = "SELECT id, time, facts, checksum FROM intent ORDER BY id";
const SELECT_INTENT: &str = "SELECT id, time, facts, checksum FROM intent WHERE id = ?1";
const QUICK_CHECK: &str = "PRAGMA quick_check(1)";
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(NOOP)";
const USED_BYTES: &str = "SELECT (page_count - freelist_count) * page_size
    FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
const RENEW_LOG: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// What keeps events from being read.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReadError {
    /// It may pass.
    #[error(transparent)]
    Storage(rusqlite::Error),
    /// It will not.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl ReadError {
    /// What an error after event `last_seq` means.
    fn after(last_seq: u64, error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            // `Unknown` is SQLite's word for, among others, a table that is not there.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                Self::Damaged(Damage {
                    flaw: Flaw::Database,
                    last_seq,
                    lost: None,
                })
            }
            _ => Self::Storage(error),
        }
    }
}

/// What one transaction changes.
#[derive(Debug, Default)]
pub(super) struct Change<'a> {
    pub(super) records: &'a [Record],
    pub(super) intents: &'a [Intent],
    /// The intents that are no more.
    pub(super) ended: &'a [Uuid],
    /// What was confirmed before, and what is now.
    pub(super) confirmed: (u64, u64),
}

/// The database of one boot.
#[derive(Debug)]
pub(super) struct Store(Connection);

impl Store {
    /// Makes the database of a new boot in `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self, rusqlite::Error> {
        let mut connection = Connection::open(folder.join(DATABASE))?;
        connection.execute_batch(PRAGMAS)?;
        let transaction = connection.transaction()?;
        transaction.execute_batch(SCHEMA)?;
        insert(&transaction, &Record::zero())?;
        transaction.commit()?;
        Ok(Self(connection))
    }

    /// Opens the database in `folder`, to change it; `None` if its boot died before it had made one.
    pub(super) fn open(folder: &Path) -> Result<Option<Self>, ReadError> {
        let path = folder.join(DATABASE);
        if matches!(path.try_exists(), Ok(false)) {
            return Ok(None);
        }
        let open = || {
            let connection = Connection::open(path)?;
            connection.execute_batch(PRAGMAS)?;
            let is_empty: bool = connection.query_row(IS_EMPTY, [], |row| row.get(0))?;
            Ok((connection, is_empty))
        };
        let (connection, is_empty) = open().map_err(|error| ReadError::after(0, error))?;
        Ok((!is_empty).then_some(Self(connection)))
    }

    /// Opens the database in `folder` to read what another thread or process writes.
    pub(super) fn open_read_only(folder: &Path) -> Result<Self, rusqlite::Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        Connection::open_with_flags(folder.join(DATABASE), flags).map(Self)
    }

    /// The same, with all its files open: they can be read from now on whatever becomes of the folder.
    pub(super) fn open_and_read(folder: &Path) -> Result<Self, rusqlite::Error> {
        let store = Self::open_read_only(folder)?;
        // SQLite opens some of them with the first read.
        store.used_bytes()?;
        Ok(store)
    }

    /// Changes all of it or nothing, and tells how many bytes of events have gone.
    pub(super) fn write(&mut self, change: &Change<'_>) -> Result<u64, rusqlite::Error> {
        let transaction = self.0.transaction()?;
        for record in change.records {
            insert(&transaction, record)?;
        }
        for intent in change.intents {
            insert_intent(&transaction, intent)?;
        }
        for id in change.ended {
            transaction
                .prepare_cached(DELETE_INTENT)?
                .execute([id.as_bytes().as_slice()])?;
        }
        let freed = forget(&transaction, change.confirmed)?;
        transaction.commit()?;
        Ok(freed)
    }

    /// The number of the last event that is known to be confirmed; zero at the beginning.
    pub(super) fn confirmed(&self) -> Result<u64, ReadError> {
        self.number(SELECT_CONFIRMED)
    }

    /// The last number.
    pub(super) fn last_seq(&self) -> Result<u64, ReadError> {
        self.number(SELECT_LAST)
    }

    fn number(&self, select: &str) -> Result<u64, ReadError> {
        let number: Option<i64> = self
            .0
            .query_row(select, [], |row| row.get(0))
            .map_err(|error| ReadError::after(0, error))?;
        Ok(number.map_or(0, i64::cast_unsigned))
    }

    /// The next events after number `seq`, in order; damage is an error once it is the next.
    pub(super) fn read_after(&self, seq: u64, count_max: usize) -> Result<Vec<Record>, ReadError> {
        let mut records = Vec::new();
        let read = self.read_into(&mut records, seq, count_max);
        if records.is_empty() {
            read?;
        }
        Ok(records)
    }

    /// The same; once nothing follows, the database is looked at as a whole, since what it has lost it does not tell.
    pub(super) fn read_on(&self, seq: u64, count_max: usize) -> Result<Vec<Record>, ReadError> {
        let records = self.read_after(seq, count_max)?;
        if records.is_empty() {
            self.check(seq)?;
        }
        Ok(records)
    }

    fn read_into(&self, records: &mut Vec<Record>, after: u64, count_max: usize) -> Result<(), ReadError> {
        let mut last = after;
        let failed = |last| move |error| ReadError::after(last, error);
        let mut select = self.0.prepare_cached(SELECT_AFTER).map_err(failed(last))?;
        let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
        let mut rows = select
            .query(params![after.cast_signed(), limit])
            .map_err(failed(last))?;
        while let Some(row) = rows.next().map_err(failed(last))? {
            let record = intact(row).map_err(|flaw| Damage {
                flaw,
                last_seq: last,
                lost: Some(1),
            })?;
            if record.seq != last + 1 {
                return Err(ReadError::Damaged(Damage {
                    flaw: Flaw::Missing,
                    last_seq: last,
                    lost: Some(record.seq.saturating_sub(last + 1).max(1)),
                }));
            }
            last = record.seq;
            records.push(record);
        }
        Ok(())
    }

    /// The last record, be it confirmed or not.
    pub(super) fn last(&self) -> Result<Record, ReadError> {
        self.record(self.last_seq()?)
    }

    /// The record that stands for all that is confirmed.
    pub(super) fn first(&self) -> Result<Record, ReadError> {
        self.record(self.confirmed()?)
    }

    fn record(&self, seq: u64) -> Result<Record, ReadError> {
        let failed = |error| ReadError::after(seq, error);
        let mut select = self.0.prepare_cached(SELECT_AFTER).map_err(failed)?;
        let mut rows = select.query(params![seq.cast_signed() - 1, 1]).map_err(failed)?;
        let row = rows.next().map_err(failed)?;
        let record = row.map_or(Err(Flaw::Missing), intact);
        record.map_err(|flaw| {
            ReadError::Damaged(Damage {
                flaw,
                last_seq: seq,
                lost: None,
            })
        })
    }

    /// The intents that can be read, in the order of their ids, and how many cannot.
    pub(super) fn intents(&self) -> Result<(Vec<Intent>, usize), ReadError> {
        let failed = |error| ReadError::after(0, error);
        let mut select = self.0.prepare_cached(SELECT_INTENTS).map_err(failed)?;
        let mut rows = select.query([]).map_err(failed)?;
        let (mut intents, mut unreadable) = (Vec::new(), 0);
        while let Some(row) = rows.next().map_err(failed)? {
            match intact_intent(row) {
                Some(intent) => intents.push(intent),
                None => unreadable += 1,
            }
        }
        Ok((intents, unreadable))
    }

    /// One intent; `None` if it is not there as it was written.
    pub(super) fn intent(&self, id: Uuid) -> Result<Option<Intent>, rusqlite::Error> {
        let mut select = self.0.prepare_cached(SELECT_INTENT)?;
        let mut rows = select.query([id.as_bytes().as_slice()])?;
        Ok(rows.next()?.and_then(intact_intent))
    }

    /// Moves all of the write-ahead log into the database, syncs that, and begins the log anew: what a failed sync has left in doubt is
    /// so no more.
    pub(super) fn renew_log(&self) -> Result<bool, rusqlite::Error> {
        let is_busy: bool = self.0.query_row(RENEW_LOG, [], |row| row.get(0))?;
        Ok(!is_busy)
    }

    /// Bytes of the pages that hold something.
    pub(super) fn used_bytes(&self) -> Result<u64, rusqlite::Error> {
        let bytes: i64 = self.0.query_row(USED_BYTES, [], |row| row.get(0))?;
        Ok(u64::try_from(bytes).unwrap_or(0))
    }

    /// How many frames of the write-ahead log SQLite sees.
    pub(super) fn frames(&self) -> Result<u64, ReadError> {
        let frames: i64 = self
            .0
            .query_row(CHECKPOINT, [], |row| row.get(1))
            .map_err(|error| ReadError::after(0, error))?;
        // -1 if there is no log.
        Ok(u64::try_from(frames).unwrap_or(0))
    }

    /// Whether SQLite finds nothing wrong with it; looks at all of it.
    fn check(&self, last_seq: u64) -> Result<(), ReadError> {
        let found: String = self
            .0
            .query_row(QUICK_CHECK, [], |row| row.get(0))
            .map_err(|error| ReadError::after(last_seq, error))?;
        if found == "ok" {
            return Ok(());
        }
        Err(ReadError::Damaged(Damage {
            flaw: Flaw::Database,
            last_seq,
            lost: None,
        }))
    }

    /// Closes it, so that its files may go.
    pub(super) fn close(self) -> Result<(), rusqlite::Error> {
        self.0.close().map_err(|(_, error)| error)
    }
}

fn insert(transaction: &Transaction<'_>, record: &Record) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached(INSERT)?;
    insert.execute(params![
        record.seq.cast_signed(),
        record.routing_key,
        record.body,
        record.running_hash.as_bytes(),
        record.checksum(),
    ])?;
    Ok(())
}

fn insert_intent(transaction: &Transaction<'_>, intent: &Intent) -> Result<(), rusqlite::Error> {
    let mut insert = transaction.prepare_cached(INSERT_INTENT)?;
    insert.execute(params![
        intent.id.as_bytes().as_slice(),
        intent.time.as_micros(),
        intent.facts,
        intent.checksum(),
    ])?;
    Ok(())
}

/// The intent in a row, if it is as it was written.
fn intact_intent(row: &Row<'_>) -> Option<Intent> {
    let intent = Intent {
        id: Uuid::from_slice(row.get_ref(0).ok()?.as_blob().ok()?).ok()?,
        time: UtcMicros::from_micros(row.get(1).ok()?),
        facts: row.get(2).ok()?,
    };
    (row.get::<_, u32>(3).ok()? == intent.checksum()).then_some(intent)
}

/// Deletes what was confirmed but the last of it.
fn forget(transaction: &Transaction<'_>, (from, to): (u64, u64)) -> Result<u64, rusqlite::Error> {
    if to <= from {
        return Ok(0);
    }
    let (from, to) = (from.cast_signed(), to.cast_signed());
    let freed: i64 = transaction
        .prepare_cached(BYTES_BETWEEN)?
        .query_row([from, to], |row| row.get(0))?;
    transaction.prepare_cached(DELETE_BEFORE)?.execute([to])?;
    Ok(freed.cast_unsigned())
}

/// The record in a row, if it is as it was written.
fn intact(row: &Row<'_>) -> Result<Record, Flaw> {
    let read = || -> Result<(Record, u32), rusqlite::Error> {
        let record = Record {
            seq: row.get::<_, i64>(0)?.cast_unsigned(),
            routing_key: row.get(1)?,
            body: row.get(2)?,
            running_hash: RunningHash::from_bytes(row.get_ref(3)?.as_blob()?)
                .ok_or_else(|| FromSqlError::InvalidType)?,
        };
        Ok((record, row.get(4)?))
    };
    match read() {
        Ok((record, checksum)) if record.checksum() == checksum => Ok(record),
        Ok(_) | Err(_) => Err(Flaw::Record),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(numbers: std::ops::RangeInclusive<u64>) -> Vec<Record> {
        let record = |seq| Record {
            seq,
            routing_key: "access.api_request.granted".to_owned(),
            body: vec![b'x'; 10],
            running_hash: RunningHash::default(),
        };
        numbers.map(record).collect()
    }

    fn numbers(read: Result<Vec<Record>, ReadError>) -> Vec<u64> {
        read.unwrap().iter().map(|record| record.seq).collect()
    }

    fn store_of(count: u64) -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::create(dir.path()).unwrap();
        let change = Change {
            records: &records(1..=count),
            ..Change::default()
        };
        store.write(&change).unwrap();
        (dir, store)
    }

    fn damage(read: Result<Vec<Record>, ReadError>) -> Damage {
        match read {
            Err(ReadError::Damaged(damage)) => damage,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_confirmed_is_gone_but_the_last_of_it_and_tells_its_size() {
        let (_dir, mut store) = store_of(5);

        let freed = store.write(&Change {
            confirmed: (0, 3),
            ..Change::default()
        });

        assert_eq!(freed.unwrap(), 30);
        assert_eq!(store.confirmed().unwrap(), 3);
        assert_eq!(store.last_seq().unwrap(), 5);
        assert_eq!(numbers(store.read_after(3, 10)), [4, 5]);
    }

    #[test]
    fn a_gap_is_told_when_it_is_next() {
        let (_dir, store) = store_of(9);
        store
            .0
            .execute("DELETE FROM event WHERE seq IN (4, 5)", [])
            .unwrap();

        assert_eq!(numbers(store.read_after(0, 10)), [1, 2, 3]);
        let expected = Damage {
            flaw: Flaw::Missing,
            last_seq: 3,
            lost: Some(2),
        };
        assert_eq!(damage(store.read_after(3, 10)), expected);
        assert_eq!(numbers(store.read_after(5, 10)), [6, 7, 8, 9]);
    }

    #[test]
    fn a_row_that_is_not_as_it_was_written_is_told_when_it_is_next() {
        for change in [
            "body = x'00'",
            "routing_key = 'a.b.c'",
            "checksum = 7",
            "running_hash = x'00'",
        ] {
            let (_dir, store) = store_of(9);
            store
                .0
                .execute(&format!("UPDATE event SET {change} WHERE seq = 4"), [])
                .unwrap();

            assert_eq!(numbers(store.read_after(0, 10)), [1, 2, 3]);
            let found = damage(store.read_after(3, 10));
            assert_eq!(
                (found.flaw, found.next_seq()),
                (Flaw::Record, Some(5)),
                "{change}"
            );
        }
    }

    #[test]
    fn another_database_is_damage_and_not_an_empty_spool() {
        let dir = tempfile::tempdir().unwrap();
        let other = Connection::open(dir.path().join(DATABASE)).unwrap();
        other.execute_batch("CREATE TABLE x (y)").unwrap();

        let store = Store::open(dir.path()).unwrap().unwrap();

        assert!(matches!(store.confirmed(), Err(ReadError::Damaged(_))));
    }
}
