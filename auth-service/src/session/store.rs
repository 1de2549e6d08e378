//! Sessions at rest.

use shared::clock::UtcMicros;
use shared::event::ClientFacts;

use super::end::EndReason;
use super::rotation::{ABSOLUTE_MAX, IDLE_MAX, State};
use crate::error::{ApiError, Internal};
use crate::token::Grant;
use shared::database::{DatabaseError, Tx, execute, fetch};

/// Bytes of a session's seed.
pub(super) const SEED_BYTES: usize = 32;

const INSERT: &str = "INSERT INTO sessions (id, user_id, client_id, audience, amr, seed, counter,
        authenticated_at, rotated_at, rotated_ip, rotated_user_agent, scope,
        created_at, created_ip, created_user_agent)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $9, $10, $11)";
const SELECT: &str = "SELECT user_id, client_id, audience, amr, seed, counter, authenticated_at, rotated_at,
        rotated_ip, rotated_user_agent, scope, ended_at
    FROM sessions WHERE id = $1";
const ROTATE: &str = "UPDATE sessions SET counter = counter + 1, rotated_at = $1, rotated_ip = $2,
        rotated_user_agent = $3
    WHERE id = $4 AND counter = $5 AND ended_at IS NULL";
const SELECT_LIVE: &str = "SELECT id, client_id, amr, created_at, created_ip, created_user_agent, rotated_at,
        rotated_ip, rotated_user_agent
    FROM sessions WHERE user_id = $1 AND ended_at IS NULL AND rotated_at >= $2 AND authenticated_at >= $3
    ORDER BY rotated_at DESC, id";
const SELECT_BEYOND: &str = "SELECT id FROM sessions
    WHERE user_id = $1 AND ended_at IS NULL AND rotated_at >= $2 AND authenticated_at >= $3
    ORDER BY rotated_at DESC, id LIMIT $5 OFFSET $4";
const OWNER: &str = "SELECT user_id FROM sessions WHERE id = $1";
const DELETE_OLD: &str = "DELETE FROM sessions WHERE id IN
    (SELECT id FROM sessions WHERE authenticated_at <= $1 ORDER BY authenticated_at LIMIT $2)";
const END: &str = "UPDATE sessions SET ended_at = $1, end_reason = $2 WHERE id = $3 AND ended_at IS NULL";

/// A session that is opened.
pub(super) struct NewSession<'a> {
    pub(super) id: &'a str,
    pub(super) grant: &'a Grant<'a>,
    /// What its tokens may have at most.
    pub(super) scopes: Option<&'a [String]>,
    pub(super) seed: &'a [u8],
    pub(super) counter: u64,
    pub(super) client: &'a ClientFacts,
}

/// A session as it is kept.
pub(super) struct Session {
    pub(super) user_id: String,
    pub(super) client_id: String,
    pub(super) audience: String,
    pub(super) amr: String,
    /// What its tokens may have at most; all that the user's roles have if absent.
    pub(super) scopes: Option<Vec<String>>,
    pub(super) seed: Vec<u8>,
    pub(super) state: State,
    /// Who signed in or refreshed last.
    pub(super) rotated_ip: Option<String>,
    pub(super) rotated_user_agent: Option<String>,
}

/// What is shown of a live session.
#[derive(sqlx::FromRow)]
pub(super) struct LiveSession {
    pub(super) id: String,
    pub(super) client_id: String,
    pub(super) amr: String,
    pub(super) created_at: i64,
    pub(super) created_ip: Option<String>,
    pub(super) created_user_agent: Option<String>,
    pub(super) rotated_at: i64,
    pub(super) rotated_ip: Option<String>,
    pub(super) rotated_user_agent: Option<String>,
}

#[derive(sqlx::FromRow)]
struct Row {
    user_id: String,
    client_id: String,
    audience: String,
    amr: String,
    seed: Vec<u8>,
    counter: i64,
    authenticated_at: i64,
    rotated_at: i64,
    rotated_ip: Option<String>,
    rotated_user_agent: Option<String>,
    scope: Option<String>,
    ended_at: Option<i64>,
}

pub(super) async fn insert(
    tx: &mut Tx<'_>,
    new: &NewSession<'_>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(new.id)
            .bind(new.grant.sub)
            .bind(new.grant.client_id)
            .bind(new.grant.audience)
            .bind(new.grant.amr)
            .bind(new.seed)
            .bind(signed(new.counter))
            .bind(new.grant.authenticated_at.as_micros())
            .bind(now.as_micros())
            .bind(new.client.ip.as_deref())
            .bind(new.client.user_agent.as_deref())
            .bind(new.scopes.map(|scopes| scopes.join(" ")))
    )?;
    Ok(())
}

pub(super) async fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<Session>, ApiError> {
    let row = fetch!(fetch_optional, tx, sqlx::query_as::<_, Row>(SELECT).bind(id))?;
    row.map(|row| {
        Ok(Session {
            user_id: row.user_id,
            client_id: row.client_id,
            audience: row.audience,
            amr: row.amr,
            scopes: row
                .scope
                .map(|scope| scope.split_whitespace().map(str::to_owned).collect()),
            seed: row.seed,
            state: State {
                counter: u64::try_from(row.counter)
                    .map_err(|_| Internal::Unreadable("a session's counter is negative"))?,
                rotated_at: UtcMicros::from_micros(row.rotated_at),
                authenticated_at: UtcMicros::from_micros(row.authenticated_at),
                is_ended: row.ended_at.is_some(),
            },
            rotated_ip: row.rotated_ip,
            rotated_user_agent: row.rotated_user_agent,
        })
    })
    .transpose()
}

/// Moves the session on from `counter`; `false` if it is not there any more or has ended. This one statement decides who
/// of many that refresh at once is the one that does.
pub(super) async fn rotate(
    tx: &mut Tx<'_>,
    id: &str,
    counter: u64,
    client: &ClientFacts,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let moved = execute!(
        tx,
        sqlx::query(ROTATE)
            .bind(now.as_micros())
            .bind(client.ip.as_deref())
            .bind(client.user_agent.as_deref())
            .bind(id)
            .bind(signed(counter))
    )?;
    Ok(moved == 1)
}

/// The live sessions of a user, the one used last first.
pub(super) async fn live_of(
    tx: &mut Tx<'_>,
    user_id: &str,
    now: UtcMicros,
) -> Result<Vec<LiveSession>, DatabaseError> {
    fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, LiveSession>(SELECT_LIVE)
            .bind(user_id)
            .bind(now.minus(IDLE_MAX).as_micros())
            .bind(now.minus(ABSOLUTE_MAX).as_micros())
    )
}

/// The live sessions of a user beyond so many, the one used last first.
pub(super) async fn live_beyond(
    tx: &mut Tx<'_>,
    user_id: &str,
    count: i64,
    now: UtcMicros,
) -> Result<Vec<String>, DatabaseError> {
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, (String,)>(SELECT_BEYOND)
            .bind(user_id)
            .bind(now.minus(IDLE_MAX).as_micros())
            .bind(now.minus(ABSOLUTE_MAX).as_micros())
            .bind(count)
            .bind(i64::MAX)
    )?;
    Ok(rows.into_iter().map(|(id,)| id).collect())
}

/// Whose session it is.
pub(super) async fn owner(tx: &mut Tx<'_>, id: &str) -> Result<Option<String>, DatabaseError> {
    let row = fetch!(fetch_optional, tx, sqlx::query_as::<_, (String,)>(OWNER).bind(id))?;
    Ok(row.map(|(user_id,)| user_id))
}

/// Deletes at most `count_max` sessions whose user signed in at `until` or before; how many.
pub(super) async fn delete_old(
    tx: &mut Tx<'_>,
    until: UtcMicros,
    count_max: i64,
) -> Result<u64, DatabaseError> {
    execute!(
        tx,
        sqlx::query(DELETE_OLD).bind(until.as_micros()).bind(count_max)
    )
}

/// Ends a session; `false` if it has ended before.
pub(super) async fn end(
    tx: &mut Tx<'_>,
    id: &str,
    reason: EndReason,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let ended = execute!(
        tx,
        sqlx::query(END)
            .bind(now.as_micros())
            .bind(reason.as_str())
            .bind(id)
    )?;
    Ok(ended == 1)
}

/// SQL counts in signed numbers; a counter beyond matches no row, as it should.
fn signed(counter: u64) -> i64 {
    i64::try_from(counter).unwrap_or(i64::MAX)
}
