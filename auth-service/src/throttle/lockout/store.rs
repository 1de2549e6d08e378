//! Buckets that refuse at the moment, as operators see them.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, fetch};

use super::Lockout;

const SELECT: &str = "SELECT id, kind, subject, failures, admits_at FROM throttle_buckets
    WHERE admits_at > $1 ORDER BY admits_at DESC, id LIMIT $2";
const TAKE: &str = "DELETE FROM throttle_buckets WHERE id = $1 AND admits_at > $2
    RETURNING id, kind, subject, failures, admits_at";

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    kind: String,
    subject: Option<String>,
    failures: i64,
    admits_at: i64,
}

impl From<Row> for Lockout {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            kind: row.kind,
            subject: row.subject,
            failures: row.failures,
            refused_until: UtcMicros::from_micros(row.admits_at),
        }
    }
}

/// Those that refuse for longest first.
pub(super) async fn list(tx: &mut Tx<'_>, now: UtcMicros, limit: i64) -> Result<Vec<Lockout>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Row>(SELECT).bind(now.as_micros()).bind(limit)
    )?;
    Ok(rows.into_iter().map(Lockout::from).collect())
}

/// Takes one out; `None` if there is none that refuses.
pub(super) async fn take(
    tx: &mut Tx<'_>,
    id: &str,
    now: UtcMicros,
) -> Result<Option<Lockout>, DatabaseError> {
    let row = fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Row>(TAKE).bind(id).bind(now.as_micros())
    )?;
    Ok(row.map(Lockout::from))
}
