//! A look at a database that changes nothing in it: no waiting, no migration, no file that is made.

use std::collections::BTreeMap;
use std::path::Path;

use sqlx::migrate::Migrator;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::sync::watch;
use tokio::time::timeout;

use super::open::{ACQUIRE_TIMEOUT, CONNECT_TIMEOUT};
use super::{
    Database, DatabaseError, DatabaseUrl, Pools, Readers, RevivablePool, Schema, SqlitePool, Tx, read,
};
use crate::clock::UtcMicros;

const TABLE_ON_SQLITE: &str = "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'";
const TABLE_ON_POSTGRES: &str = "SELECT COUNT(to_regclass('_sqlx_migrations'))";
const APPLIED: &str = "SELECT version, success, checksum FROM _sqlx_migrations ORDER BY version";
const LETS_WRITE: &str = "SELECT NOT pg_is_in_recovery() AND current_setting('transaction_read_only') = 'off'
    AND has_table_privilege('_sqlx_migrations', 'INSERT')";
const CLOCK: &str = "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::BIGINT";

/// How far the tables of a database are, for this program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tables {
    /// As it wants them.
    Current,
    /// So many migrations are to come, which its start applies.
    Behind(usize),
    /// A newer program has applied so many that this one does not know.
    Ahead(usize),
    /// That migration stopped halfway, or is another one than this program's.
    Damaged(i64),
}

/// A migration that was applied.
#[derive(Debug, sqlx::FromRow)]
struct Applied {
    version: i64,
    success: bool,
    checksum: Vec<u8>,
}

impl Database {
    /// Connects to a database as it is.
    pub async fn look(url: &DatabaseUrl, schema: &Schema) -> Result<Self, DatabaseError> {
        let pools = match url {
            DatabaseUrl::Sqlite(path) => look_at_file(path).await?,
            DatabaseUrl::Postgres(options) => look_at_server(options, schema).await?,
        };
        Ok(Self {
            pools,
            commits: watch::Sender::new(0),
        })
    }

    /// How far its tables are.
    pub async fn tables(&self, schema: &Schema) -> Result<Tables, DatabaseError> {
        let (table, migrations) = match self.readers() {
            Readers::Sqlite(_) => (TABLE_ON_SQLITE, schema.sqlite),
            Readers::Postgres(_) => (TABLE_ON_POSTGRES, schema.postgres),
        };
        let (tables,) = read!(fetch_one, self, sqlx::query_as::<_, (i64,)>(table))?;
        let applied = match tables {
            0 => Vec::new(),
            _ => read!(fetch_all, self, sqlx::query_as::<_, Applied>(APPLIED))?,
        };
        Ok(compare(&applied, &checksums(migrations)))
    }

    /// Whether it would take a change; nothing is changed to find out.
    pub async fn lets_write(&self) -> Result<bool, DatabaseError> {
        match self.begin().await? {
            // Beginning as a writer was the question.
            Tx::Sqlite(_) => Ok(true),
            Tx::Postgres(mut tx) => {
                let asking = sqlx::query_scalar(LETS_WRITE).fetch_one(&mut *tx);
                Ok(asking.await?)
            }
        }
    }

    /// The time by its clock; `None` for a file, which has none of its own.
    pub async fn clock(&self) -> Result<Option<UtcMicros>, DatabaseError> {
        match self.read().await? {
            Tx::Sqlite(_) => Ok(None),
            Tx::Postgres(mut tx) => {
                let micros = sqlx::query_scalar(CLOCK).fetch_one(&mut *tx).await?;
                Ok(Some(UtcMicros::from_micros(micros)))
            }
        }
    }
}

async fn look_at_file(path: &Path) -> Result<Pools, DatabaseError> {
    let options = SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(false)
        .disable_statement_logging();
    let reader = SqlitePool::new(options.clone().read_only(true), 1, None)?;
    reader.lend().await?;
    Ok(Pools::Sqlite {
        writer: SqlitePool::new(options, 1, None)?,
        reader,
    })
}

async fn look_at_server(options: &PgConnectOptions, schema: &Schema) -> Result<Pools, DatabaseError> {
    let options = options
        .clone()
        .application_name(schema.service)
        .options([("statement_timeout", schema.read_timeout())])
        .disable_statement_logging();
    let connecting = timeout(CONNECT_TIMEOUT, PgConnection::connect_with(&options));
    let connection = connecting.await.map_err(|_| DatabaseError::TimedOut)??;
    connection.close().await?;
    let pool = PgPoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .max_connections(1);
    Ok(Pools::Postgres {
        writer: RevivablePool::new(pool.clone(), options.clone()),
        reader: RevivablePool::new(pool, options.clone()),
        options: Box::new(options),
    })
}

fn checksums(migrations: &Migrator) -> BTreeMap<i64, Vec<u8>> {
    let of = |migration: &sqlx::migrate::Migration| (migration.version, migration.checksum.to_vec());
    migrations.iter().map(of).collect()
}

fn compare(applied: &[Applied], wanted: &BTreeMap<i64, Vec<u8>>) -> Tables {
    for done in applied {
        let is_other = wanted
            .get(&done.version)
            .is_some_and(|checksum| *checksum != done.checksum);
        if !done.success || is_other {
            return Tables::Damaged(done.version);
        }
    }
    let is_applied = |version: &i64| applied.iter().any(|done| done.version == *version);
    let unknown = applied
        .iter()
        .filter(|done| !wanted.contains_key(&done.version))
        .count();
    let missing = wanted.keys().filter(|version| !is_applied(version)).count();
    match (unknown, missing) {
        (0, 0) => Tables::Current,
        (0, missing) => Tables::Behind(missing),
        (unknown, _) => Tables::Ahead(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(version: i64, success: bool, checksum: u8) -> Applied {
        Applied {
            version,
            success,
            checksum: vec![checksum],
        }
    }

    #[test]
    fn tables_are_compared_by_every_migration_and_its_checksum() {
        let wanted = BTreeMap::from([(1, vec![1]), (2, vec![2])]);
        let done = |version, checksum| applied(version, true, checksum);

        for (rows, tables) in [
            (vec![], Tables::Behind(2)),
            (vec![done(1, 1)], Tables::Behind(1)),
            (vec![done(1, 1), done(2, 2)], Tables::Current),
            (vec![done(1, 1), done(2, 2), done(3, 3)], Tables::Ahead(1)),
            (vec![done(1, 1), done(3, 3)], Tables::Ahead(1)),
            (vec![done(1, 9), done(2, 2)], Tables::Damaged(1)),
            (vec![done(1, 1), applied(2, false, 2)], Tables::Damaged(2)),
        ] {
            assert_eq!(compare(&rows, &wanted), tables, "{rows:?}");
        }
    }
}
