//! Tallies at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute, fetch};

use super::Tally;

/// Makes the row if there is none, and holds it either way until the transaction ends.
const LOCK: &str = "INSERT INTO failure_tallies (id, action, reason, network, began_at, told, untold)
    VALUES ($1, $2, $3, $4, $5, 0, 0)
    ON CONFLICT (id) DO UPDATE SET network = excluded.network
    RETURNING began_at, told, untold";
const SET: &str = "UPDATE failure_tallies SET began_at = $2, told = $3, untold = $4 WHERE id = $1";
const TAKE_ENDED: &str = "DELETE FROM failure_tallies WHERE began_at <= $1
    RETURNING action, reason, network, began_at, told, untold";

/// A tally whose time is over.
#[derive(sqlx::FromRow)]
pub(super) struct Ended {
    pub(super) action: String,
    pub(super) reason: String,
    pub(super) network: String,
    began_at: i64,
    told: i64,
    untold: i64,
}

impl Ended {
    pub(super) fn tally(&self) -> Tally {
        Tally {
            began_at: UtcMicros::from_micros(self.began_at),
            told: self.told,
            untold: self.untold,
        }
    }
}

/// Reads a tally that nobody else changes until the transaction ends.
pub(super) async fn lock(
    tx: &mut Tx<'_>,
    id: &str,
    (action, reason): (&str, &str),
    network: &str,
    now: UtcMicros,
) -> Result<Tally, DatabaseError> {
    let (began_at, told, untold) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (i64, i64, i64)>(LOCK)
            .bind(id)
            .bind(action)
            .bind(reason)
            .bind(network)
            .bind(now.as_micros())
    )?;
    Ok(Tally {
        began_at: UtcMicros::from_micros(began_at),
        told,
        untold,
    })
}

/// Writes a tally that was locked.
pub(super) async fn set(tx: &mut Tx<'_>, id: &str, tally: Tally) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(SET)
            .bind(id)
            .bind(tally.began_at.as_micros())
            .bind(tally.told)
            .bind(tally.untold)
    )?;
    Ok(())
}

/// Takes out the tallies that began at that moment or before.
pub(super) async fn take_ended(tx: &mut Tx<'_>, began: UtcMicros) -> Result<Vec<Ended>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Ended>(TAKE_ENDED).bind(began.as_micros())
    )
}
