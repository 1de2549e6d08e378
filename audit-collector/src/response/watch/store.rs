//! Orders in force, and the refusals that they may have led to.

use std::net::IpAddr;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, read};
use shared::event::wire;
use uuid::Uuid;

use crate::event_log::address_bytes;
use crate::response::kept::Kept;
use crate::response::order::Action;
use crate::response::store::{STEP, orders};

/// Refusals that are looked at for the one that names an order.
const REFUSALS: i64 = 50;

/// A place in the order in which orders in force are looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    in_force_at: UtcMicros,
    id: Uuid,
}

impl Place {
    /// That of an order; `None` if it never was in force.
    pub(super) fn of(kept: &Kept) -> Option<Self> {
        let in_force_at = kept.in_force_at?;
        Some(Self {
            in_force_at,
            id: kept.id,
        })
    }
}

/// Whether there may be more than those.
pub(super) fn is_full(page: &[Kept]) -> bool {
    i64::try_from(page.len()).is_ok_and(|count| count >= STEP)
}

/// Orders in force that are over by `now`, those that are so for the longest time first.
pub(super) async fn over(database: &Database, now: UtcMicros) -> Result<Vec<Kept>, DatabaseError> {
    orders!(
        database,
        "r.state = 'in_force' AND r.expires_at <= $1 ORDER BY r.expires_at LIMIT $2",
        now.as_micros(),
        STEP
    )
}

/// Orders that came in force after `since` and have led to no refusal yet, the newest first and from behind `last` on.
pub(super) async fn unproved(
    database: &Database,
    since: UtcMicros,
    last: Option<Place>,
) -> Result<Vec<Kept>, DatabaseError> {
    let (before, id) = last.map_or((i64::MAX, Uuid::max()), |last| {
        (last.in_force_at.as_micros(), last.id)
    });
    orders!(
        database,
        "r.state = 'in_force' AND r.refusal IS NULL AND r.in_force_at > $1 \
         AND (r.in_force_at < $2 OR (r.in_force_at = $2 AND r.id < $3)) ORDER BY r.in_force_at DESC, r.id DESC LIMIT $4",
        since.as_micros(),
        before,
        id,
        STEP
    )
}

/// A refusal of a door.
pub(super) struct Refusal {
    pub(super) event: Uuid,
    pub(super) at: UtcMicros,
    /// The decision that it names.
    pub(super) decision: String,
}

/// The first refusals of whom an order is about since what it responds to, as far as they name a decision.
pub(super) async fn refusals(database: &Database, kept: &Kept) -> Result<Vec<Refusal>, DatabaseError> {
    let column = match kept.order.action {
        Action::RevokeSession => "sid",
        Action::RevokeToken => "jti",
        Action::LockAccount | Action::BlockSubject | Action::RequireStepUp => "sub",
        Action::BlockAddress => "ip",
    };
    let select = format!(
        "SELECT id, time, body FROM event WHERE {column} = $1 AND time >= $2 AND class = 'access' AND outcome = 'denied' \
         ORDER BY time, id LIMIT $3"
    );
    let rows: Vec<(Uuid, i64, Vec<u8>)> = if let Some(ip) = address(kept) {
        read!(
            fetch_all,
            database,
            sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
                .bind(ip.clone())
                .bind(kept.fired_at.as_micros())
                .bind(REFUSALS)
        )?
    } else {
        read!(
            fetch_all,
            database,
            sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
                .bind(kept.order.value.clone())
                .bind(kept.fired_at.as_micros())
                .bind(REFUSALS)
        )?
    };
    let naming = |(event, time, body): (Uuid, i64, Vec<u8>)| {
        let decoded = wire::decode(&body).ok()?;
        Some(Refusal {
            event,
            at: UtcMicros::from_micros(time),
            decision: decoded.facts.detail.get("decision")?.as_str()?.to_owned(),
        })
    };
    Ok(rows.into_iter().filter_map(naming).collect())
}

/// An address as events are searched by it.
fn address(kept: &Kept) -> Option<Vec<u8>> {
    if kept.order.action != Action::BlockAddress {
        return None;
    }
    let address: IpAddr = kept.order.value.parse().ok()?;
    Some(address_bytes(address).to_vec())
}
