//! Removes alerts, and with each its notes, its messages and what was ordered about it.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

/// Alerts in one transaction.
const ALERTS_MAX: i64 = 500;

/// Alerts whose last event happened before the moment, that nobody has touched since, and that still are to have no effect.
const DUE: &str = "a.until < $1 AND a.updated_at < $1 AND a.told AND NOT EXISTS ( \
    SELECT 1 FROM response r WHERE r.fingerprint = a.fingerprint \
    AND (r.state IN ('pending', 'lifting') OR (r.state = 'in_force' AND r.expires_at IS NOT NULL)))";

/// Alerts and the messages about them.
pub(in crate::retention) type Counted = (u64, u64);

/// How many are due.
pub(in crate::retention) async fn count_alerts(
    tx: &mut Tx<'_>,
    before: UtcMicros,
) -> Result<Counted, DatabaseError> {
    count_of(
        tx,
        &format!("SELECT a.fingerprint FROM alert a WHERE {DUE}"),
        before,
    )
    .await
}

/// Removes some that are due, the oldest first; none are left if it removes none.
pub(in crate::retention) async fn remove_alerts(
    tx: &mut Tx<'_>,
    before: UtcMicros,
) -> Result<Counted, DatabaseError> {
    let some = format!(
        "SELECT a.fingerprint FROM alert a WHERE {DUE} ORDER BY a.raised_at, a.fingerprint LIMIT {ALERTS_MAX}"
    );
    let removed = count_of(tx, &some, before).await?;
    let delete = format!("DELETE FROM alert WHERE fingerprint IN ({some})");
    execute!(
        tx,
        sqlx::query(sqlx::AssertSqlSafe(delete.clone())).bind(before.as_micros())
    )?;
    Ok(removed)
}

async fn count_of(tx: &mut Tx<'_>, alerts: &str, before: UtcMicros) -> Result<Counted, DatabaseError> {
    let select = format!(
        "WITH due AS ({alerts}) SELECT (SELECT COUNT(*) FROM due), \
         (SELECT COUNT(*) FROM notification WHERE fingerprint IN (SELECT fingerprint FROM due))"
    );
    let (alerts, messages): (i64, i64) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(before.as_micros())
    )?;
    Ok((alerts.cast_unsigned(), messages.cast_unsigned()))
}
