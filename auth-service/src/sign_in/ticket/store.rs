//! Tickets at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

use super::Destination;

const INSERT: &str =
    "INSERT INTO login_tickets (ticket_hash, user_id, password_hash_digest, client_id, audience, expires_at)
    VALUES ($1, $2, $3, $4, $5, $6)";
const SELECT: &str = "SELECT user_id, password_hash_digest, audience FROM login_tickets
    WHERE ticket_hash = $1 AND client_id = $2 AND expires_at > $3";
const DELETE: &str = "DELETE FROM login_tickets WHERE ticket_hash = $1";
const DELETE_EXPIRED: &str = "DELETE FROM login_tickets WHERE expires_at <= $1";

/// A ticket that is issued.
pub(super) struct NewTicket<'a> {
    pub(super) hash: Vec<u8>,
    pub(super) user_id: &'a str,
    pub(super) password_digest: Vec<u8>,
    pub(super) destination: &'a Destination<'a>,
    pub(super) expires_at: UtcMicros,
}

/// What is kept of a ticket.
#[derive(sqlx::FromRow)]
pub(super) struct Kept {
    pub(super) user_id: String,
    pub(super) password_hash_digest: Vec<u8>,
    pub(super) audience: String,
}

pub(super) async fn insert(tx: &mut Tx<'_>, new: &NewTicket<'_>) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(&new.hash)
            .bind(new.user_id)
            .bind(&new.password_digest)
            .bind(new.destination.client_id)
            .bind(new.destination.audience)
            .bind(new.expires_at.as_micros())
    )?;
    Ok(())
}

/// A ticket of that client which has not expired.
pub(super) async fn find(
    tx: &mut Tx<'_>,
    hash: &[u8],
    client_id: &str,
    now: UtcMicros,
) -> Result<Option<Kept>, DatabaseError> {
    fetch!(
        fetch_optional,
        tx,
        sqlx::query_as::<_, Kept>(SELECT)
            .bind(hash.to_vec())
            .bind(client_id.to_owned())
            .bind(now.as_micros())
    )
}

/// Deletes one; whether it was there.
pub(super) async fn delete(tx: &mut Tx<'_>, hash: &[u8]) -> Result<bool, DatabaseError> {
    Ok(execute!(tx, sqlx::query(DELETE).bind(hash.to_vec()))? == 1)
}

/// Deletes those that are not good any more.
pub(super) async fn delete_expired(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(DELETE_EXPIRED).bind(now.as_micros()))?;
    Ok(())
}
