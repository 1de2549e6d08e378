//! Used assertions at rest.

use shared::clock::UtcMicros;
use shared::token::Assertion;

use crate::secret::sha256;
use shared::database::{DatabaseError, Tx, execute};

const INSERT: &str = "INSERT INTO client_assertions (client_id, jti_hash, expires_at) VALUES ($1, $2, $3)
    ON CONFLICT DO NOTHING";
const DELETE_EXPIRED: &str = "DELETE FROM client_assertions WHERE expires_at <= $1";

/// Uses an assertion up; whether it was still good. Of two that come at once only one is.
pub(super) async fn use_up(
    tx: &mut Tx<'_>,
    client_id: &str,
    assertion: &Assertion,
) -> Result<bool, DatabaseError> {
    let inserted = execute!(
        tx,
        sqlx::query(INSERT)
            .bind(client_id)
            .bind(sha256(&assertion.jti))
            .bind(assertion.refused_from.as_micros())
    )?;
    Ok(inserted == 1)
}

/// Deletes what is refused for its age from now on.
pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}
