//! The plans of what took too long, as PostgreSQL says itself (`auto_explain`): of the very statements that the collector sent.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bench::Outcome;
use sqlx::Executor as _;
use sqlx::postgres::PgPool;

use crate::desk::Desk;
use crate::questions::Slow;
use crate::server;

/// Statements that took longer are shown.
const SHOWN: &str = "20ms";

/// How long the server's log takes to be written.
const WRITTEN_AFTER: Duration = Duration::from_millis(300);

/// Asks each of them once more and returns what the server says of it.
pub(crate) async fn of(desk: &Desk, pool: &PgPool, slow: &[Slow]) -> Outcome<String> {
    let log = PathBuf::from(server("CTL")?)
        .with_file_name("postgres")
        .join("log");
    let mut connection = desk.connect().await?;
    let mut told = String::from("# Plans of what takes longer than 100 ms\n");
    set(pool, &format!("'{SHOWN}'")).await?;
    for one in slow {
        let before = fs::read_to_string(&log)?.len();
        desk.ask(&mut connection, &one.path).await?;
        tokio::time::sleep(WRITTEN_AFTER).await;
        let text = fs::read_to_string(&log)?;
        let plans = text.get(before..).unwrap_or_default().trim();
        let millis = one.p95.as_secs_f64() * 1e3;
        write!(
            told,
            "\n## {} ({millis:.0} ms)\n\n`{}`\n\n```text\n{plans}\n```\n",
            one.name, one.path
        )?;
    }
    set(pool, "-1").await?;
    Ok(told)
}

async fn set(pool: &PgPool, duration: &str) -> Outcome<()> {
    let alter = format!("ALTER SYSTEM SET auto_explain.log_min_duration = {duration}");
    pool.execute(sqlx::AssertSqlSafe(alter)).await?;
    pool.execute("SELECT pg_reload_conf()").await?;
    tokio::time::sleep(WRITTEN_AFTER).await;
    Ok(())
}
