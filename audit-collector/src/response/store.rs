//! Orders at rest.

use std::net::IpAddr;
use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;
use uuid::Uuid;

use super::elsewhere::Ended;
use super::kept::{Given, Kept, LIFTED_ELSEWHERE, State};
use super::order::{Action, Order};
use crate::detection::engine::{Finding, Fingerprint};
use crate::event_log::{EventLog, Stored, address_bytes};
use crate::pseudonym::Unsealed;

/// What happened longer ago is not responded to by itself: it was imported, or the detection stood still.
const FRESH: Duration = Duration::from_mins(15);

/// Orders that are taken up in one step at most.
pub(super) const STEP: i64 = 20;

/// The problem of an order that its rule gives for a trial only.
const DRY_RUN: &str = "dry_run";

/// What is read of orders, with their alerts.
pub(super) const COLUMNS: &str = "r.id, r.fingerprint, a.rule_id, a.fired_at, r.action, r.value, r.reason, r.author, r.by_rule, \
    r.lifetime, r.ordered_at, r.state, r.attempts, r.next_at, r.decision, r.in_force_at, r.expires_at, r.ended_at, \
    r.ended_by, r.problem, r.refusal, r.refused_at FROM response r JOIN alert a ON a.fingerprint = r.fingerprint";

/// An order as it is kept.
#[derive(FromRow)]
pub(super) struct Row {
    id: Uuid,
    fingerprint: Vec<u8>,
    rule_id: String,
    fired_at: i64,
    action: String,
    value: String,
    reason: String,
    author: String,
    by_rule: bool,
    lifetime: Option<i64>,
    ordered_at: i64,
    state: String,
    attempts: i64,
    next_at: i64,
    decision: Option<String>,
    in_force_at: Option<i64>,
    expires_at: Option<i64>,
    ended_at: Option<i64>,
    ended_by: Option<String>,
    problem: Option<String>,
    refusal: Option<Uuid>,
    refused_at: Option<i64>,
}

impl Row {
    /// `None` for what only a later version knows.
    pub(super) fn kept(self) -> Option<Kept> {
        let time = UtcMicros::from_micros;
        Some(Kept {
            id: self.id,
            fingerprint: Fingerprint(self.fingerprint.try_into().ok()?),
            rule: self.rule_id,
            fired_at: time(self.fired_at),
            order: Order {
                action: Action::parse(&self.action)?,
                value: self.value,
                lifetime: self
                    .lifetime
                    .map(|micros| Duration::from_micros(micros.unsigned_abs())),
            },
            reason: self.reason,
            author: self.author,
            by_rule: self.by_rule,
            ordered_at: time(self.ordered_at),
            state: State::parse(&self.state),
            attempts: self.attempts,
            next_at: time(self.next_at),
            decision: self.decision,
            in_force_at: self.in_force_at.map(time),
            expires_at: self.expires_at.map(time),
            ended_at: self.ended_at.map(time),
            ended_by: self.ended_by,
            problem: self.problem,
            refusal: self.refusal.zip(self.refused_at.map(time)),
        })
    }
}

/// Reads the orders of which a condition in SQL holds, with what is bound to it.
macro_rules! orders {
    ($database:expr, $condition:expr, $($bound:expr),+) => {{
        let select = format!(concat!("SELECT {COLUMNS} WHERE ", $condition), COLUMNS = $crate::response::store::COLUMNS);
        let rows: Vec<$crate::response::store::Row> = shared::database::read!(
            fetch_all,
            $database,
            sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))$(.bind($bound))+
        )?;
        Ok(rows.into_iter().filter_map($crate::response::store::Row::kept).collect())
    }};
}
pub(super) use orders;

fn micros(lifetime: Option<Duration>) -> Option<i64> {
    lifetime.and_then(|lifetime| i64::try_from(lifetime.as_micros()).ok())
}

/// Adds an order that somebody gave.
pub(super) async fn add(tx: &mut Tx<'_>, kept: &Kept) -> Result<(), DatabaseError> {
    let insert = "INSERT INTO response (id, fingerprint, action, value, reason, author, by_rule, lifetime, ordered_at, \
        state, next_at, problem) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9, $11) \
        ON CONFLICT (fingerprint, action, value) WHERE by_rule DO NOTHING";
    execute!(
        tx,
        sqlx::query(insert)
            .bind(kept.id)
            .bind(kept.fingerprint.0.to_vec())
            .bind(kept.order.action.as_str())
            .bind(kept.order.value.as_str())
            .bind(kept.reason.as_str())
            .bind(kept.author.as_str())
            .bind(kept.by_rule)
            .bind(micros(kept.order.lifetime))
            .bind(kept.ordered_at.as_micros())
            .bind(kept.state.as_str())
            .bind(kept.problem.as_deref())
    )?;
    Ok(())
}

/// Adds what the rule of a finding orders, once for each alert; nothing if what it found happened long ago.
pub(crate) async fn order_by_rule(
    tx: &mut Tx<'_>,
    finding: &Finding,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    if now.since(finding.last_at()) > FRESH {
        return Ok(());
    }
    for (order, is_dry_run) in finding.rule.orders(&finding.group) {
        let given = Given {
            fingerprint: finding.fingerprint,
            rule: finding.rule.id.to_string(),
            fired_at: finding.at,
            order,
            reason: finding.rule.title.clone(),
            author: finding.rule.id.to_string(),
            by_rule: true,
        };
        let mut kept = given.at(now);
        if is_dry_run {
            kept.refuse(DRY_RUN);
        }
        add(tx, &kept).await?;
    }
    Ok(())
}

/// Notes what became of an order that is still as it was at `before`; `false` if it is not.
pub(super) async fn note(tx: &mut Tx<'_>, kept: &Kept, before: State) -> Result<bool, DatabaseError> {
    let update = "UPDATE response SET state = $3, attempts = $4, next_at = $5, decision = $6, in_force_at = $7, \
        expires_at = $8, ended_at = $9, ended_by = $10, problem = $11, refusal = $12, refused_at = $13 \
        WHERE id = $1 AND state = $2";
    let time = |at: Option<UtcMicros>| at.map(UtcMicros::as_micros);
    let changed = execute!(
        tx,
        sqlx::query(update)
            .bind(kept.id)
            .bind(before.as_str())
            .bind(kept.state.as_str())
            .bind(kept.attempts)
            .bind(kept.next_at.as_micros())
            .bind(kept.decision.clone())
            .bind(time(kept.in_force_at))
            .bind(time(kept.expires_at))
            .bind(time(kept.ended_at))
            .bind(kept.ended_by.clone())
            .bind(kept.problem.clone())
            .bind(kept.refusal.map(|(event, _)| event))
            .bind(time(kept.refusal.map(|(_, at)| at)))
    )?;
    Ok(changed > 0)
}

/// The orders of an alert, the oldest first.
pub(crate) async fn of_alert(
    database: &Database,
    fingerprint: Fingerprint,
) -> Result<Vec<Kept>, DatabaseError> {
    orders!(
        database,
        "r.fingerprint = $1 ORDER BY r.ordered_at, r.id",
        fingerprint.0.to_vec()
    )
}

/// The orders that are to be carried out or undone by now.
pub(super) async fn due(database: &Database, now: UtcMicros) -> Result<Vec<Kept>, DatabaseError> {
    orders!(
        database,
        "r.state IN ('pending', 'lifting') AND r.next_at <= $1 ORDER BY r.next_at LIMIT $2",
        now.as_micros(),
        STEP
    )
}

/// How many orders, and when the first of them was given.
pub(super) struct Counted {
    pub(super) count: i64,
    pub(super) first: Option<UtcMicros>,
}

/// Orders of rules, or of people, that came in force or are waiting since then.
pub(super) async fn count_since(
    tx: &mut Tx<'_>,
    by_rule: bool,
    since: UtcMicros,
) -> Result<Counted, DatabaseError> {
    let select = "SELECT COUNT(*), MIN(ordered_at) FROM response WHERE ordered_at > $1 AND state <> 'refused' AND by_rule = $2 \
        AND (in_force_at IS NOT NULL OR NOT by_rule)";
    let (count, first): (i64, Option<i64>) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as(select).bind(since.as_micros()).bind(by_rule)
    )?;
    Ok(Counted {
        count,
        first: first.map(UtcMicros::from_micros),
    })
}

/// Another order that locks the same account: one in force, or else one of which it is not known whether it was carried out.
pub(super) async fn other_lock(database: &Database, kept: &Kept) -> Result<Option<State>, DatabaseError> {
    let select = "SELECT state FROM response WHERE action = $1 AND value = $2 AND id <> $3 \
        AND (state = 'in_force' OR (state = 'pending' AND attempts > 0)) ORDER BY state LIMIT 1";
    let state: Option<(String,)> = read!(
        fetch_optional,
        database,
        sqlx::query_as(select)
            .bind(Action::LockAccount.as_str())
            .bind(kept.order.value.clone())
            .bind(kept.id)
    )?;
    Ok(state.map(|(state,)| State::parse(&state)))
}

/// Has orders in force ended that somebody has ended at auth-service, at once: what was in force is due by any clock. Nobody is asked to
/// undo them.
pub(crate) async fn end_elsewhere(tx: &mut Tx<'_>, ended: &[Ended]) -> Result<(), DatabaseError> {
    let update = "UPDATE response SET state = 'lifting', attempts = 0, ended_by = $1, problem = $2 \
        WHERE decision = $3 AND state = 'in_force'";
    for Ended { decision, by } in ended {
        execute!(
            &mut *tx,
            sqlx::query(update)
                .bind(by.as_str())
                .bind(LIFTED_ELSEWHERE)
                .bind(decision.as_str())
        )?;
    }
    Ok(())
}

/// What is known of what the event `id` said, if its client has that address; `None` if it has another one or is not there any more.
pub(super) async fn original_from(
    log: &EventLog,
    id: Uuid,
    address: IpAddr,
) -> Result<Option<Unsealed>, DatabaseError> {
    let select = "SELECT id, body, sealed FROM event WHERE id = $1 AND ip = $2";
    let stored: Option<Stored> = read!(
        fetch_optional,
        log.database(),
        sqlx::query_as(select)
            .bind(id)
            .bind(address_bytes(address).to_vec())
    )?;
    Ok(stored.map(|stored| log.unsealed(&stored)))
}
