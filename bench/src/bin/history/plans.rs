//! The plans of what took too long, as PostgreSQL says itself (`auto_explain`): of the very statements that the collector sent.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bench::Outcome;
use sqlx::Executor as _;
use sqlx::postgres::PgPool;

use crate::desk::Desk;
use crate::questions::Timed;
use crate::server;

/// Statements that took longer are shown.
const SHOWN: &str = "5ms";

/// Characters of a line that are shown: the text of a statement has thousands.
const LINE_MAX: usize = 240;

/// How long the server's log takes to be written.
const WRITTEN_AFTER: Duration = Duration::from_millis(300);

/// Asks each of them once more and returns what the server says of it.
pub(crate) async fn of(desk: &Desk, pool: &PgPool, asked: &[Timed]) -> Outcome<String> {
    let log = PathBuf::from(server("CTL")?)
        .with_file_name("postgres")
        .join("log");
    let mut connection = desk.connect().await?;
    let mut told = String::from(
        "# Plans, as PostgreSQL tells them\n\nRanges in which nothing was found or looked for are left out.\n",
    );
    set(pool, &format!("'{SHOWN}'")).await?;
    for one in asked {
        let before = fs::read_to_string(&log)?.len();
        desk.ask(&mut connection, &one.path).await?;
        tokio::time::sleep(WRITTEN_AFTER).await;
        let text = fs::read_to_string(&log)?;
        let plans = essence(text.get(before..).unwrap_or_default());
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

/// Plans without the nodes that found nothing in a range, or were never executed, of which there are some for each of sixty ranges.
fn essence(plans: &str) -> String {
    let mut told = String::new();
    let mut skipped: Option<usize> = None;
    for line in plans.lines() {
        let depth = line.len() - line.trim_start().len();
        if skipped.is_some_and(|skipped| depth > skipped) {
            continue;
        }
        let is_empty =
            line.contains("(never executed)") || line.contains("Scan") && line.contains(" rows=0 loops=");
        skipped = (is_empty && line.contains("->")).then_some(depth);
        if skipped.is_none() {
            let shown: String = line.chars().take(LINE_MAX).collect();
            told.push_str(shown.trim_end());
            told.push('\n');
        }
    }
    told.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_found_nothing_is_left_out_with_all_below_it() {
        let plan = "Append (actual rows=2 loops=1)\n  \
            ->  Nested Loop (never executed)\n        ->  Seq Scan on a (never executed)\n              Filter: x\n  \
            ->  Index Scan using b on b (actual time=0.1..0.1 rows=0 loops=1)\n        Index Cond: y\n  \
            ->  Index Scan using c on c (actual time=0.1..0.1 rows=2 loops=1)\n        Index Cond: z";

        let told = essence(plan);

        assert_eq!(
            told,
            "Append (actual rows=2 loops=1)\n  ->  Index Scan using c on c (actual time=0.1..0.1 rows=2 loops=1)\n        Index Cond: z"
        );
    }
}
