//! The tables of auth-service, and how much of a database server it may use.

use std::time::Duration;

use shared::database::Schema;
use sqlx::migrate::Migrator;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// What is kept, and where.
pub(crate) static SCHEMA: Schema = Schema {
    service: crate::SERVICE,
    sqlite: &SQLITE,
    postgres: &POSTGRES,
    // Nearly every request writes: a sign-in, a refresh, or an event about its refusal.
    writers_max: 12,
    readers_max: 4,
    write_statement_timeout: "15s",
    read_statement_timeout: Duration::from_secs(15),
};
