//! The tables of audit-collector, and how much of a database server it may use.

use std::time::Duration;

use shared::database::Schema;
use sqlx::migrate::Migrator;

use crate::settings::SERVICE;

static SQLITE: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("migrations/postgres");

/// What is kept, and where.
pub static SCHEMA: Schema = Schema {
    service: SERVICE,
    sqlite: &SQLITE,
    postgres: &POSTGRES,
    // Intake has four transactions open; the others are for those that follow a broken one, and for other work.
    writers_max: 6,
    readers_max: 8,
    write_statement_timeout: "30s",
    // What a search may cost at most.
    read_statement_timeout: Duration::from_secs(10),
};
