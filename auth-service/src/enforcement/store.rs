//! The enforcement log at rest.

use shared::clock::UtcMicros;
use shared::enforcement::{Entry, Page, Target};

use super::expiry;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};

/// Entries in one page; some hundred bytes each.
const PAGE_MAX: i64 = 1000;

/// Cursors follow the clock where they can: after the database was restored from a backup, new entries come after every cursor
/// that was given out before, so that no verifier takes them for ones that it knows.
const NEXT_CURSOR: &str = "UPDATE enforcement_head
    SET cursor = CASE WHEN cursor < $1 THEN $1 ELSE cursor + 1 END WHERE only_row = 1 RETURNING cursor";
const INSERT: &str = "INSERT INTO enforcement (cursor, kind, value, not_before, expires_at, lifted, decision)
    VALUES ($1, $2, $3, $4, $5, $6, $7)";
const HOLD: &str = "UPDATE enforcement_head SET cursor = cursor WHERE only_row = 1";
const DELETE_OF_TARGET: &str = "DELETE FROM enforcement WHERE kind = $1 AND value = $2";
const SELECT_HEAD: &str = "SELECT cursor FROM enforcement_head WHERE only_row = 1";
const SELECT_PAGE: &str =
    "SELECT cursor, kind, value, not_before, expires_at, lifted, decision FROM enforcement
    WHERE cursor > $1 AND cursor <= $2 AND expires_at > $3 ORDER BY cursor LIMIT $4";

/// Cursors are no smaller than the moments of their entries, so that no more is looked at than what was appended since.
const SELECT_LAST_OF: &str = "SELECT MAX(not_before) FROM enforcement
    WHERE cursor >= $1 AND ((kind = 'sub' AND value = $2) OR (kind = 'client_id' AND value = $3))";

const DELETE_EXPIRED: &str = "DELETE FROM enforcement WHERE cursor IN
    (SELECT cursor FROM enforcement WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2)";

#[derive(sqlx::FromRow)]
struct Row {
    cursor: i64,
    kind: String,
    value: String,
    not_before: i64,
    expires_at: i64,
    lifted: bool,
    decision: Option<String>,
}

impl Row {
    /// `None` for a kind that only a later version knows.
    fn entry(self) -> Option<Entry> {
        Some(Entry {
            cursor: self.cursor,
            target: target(&self.kind, self.value)?,
            not_before: UtcMicros::from_micros(self.not_before),
            expires_at: UtcMicros::from_micros(self.expires_at),
            lifted: self.lifted,
            decision: self.decision,
        })
    }
}

/// Adds an entry that is in force from the commit of `tx` on.
///
/// Append last in a transaction: whoever appends next waits for its commit.
pub(crate) async fn append(tx: &mut Tx<'_>, target: &Target, now: UtcMicros) -> Result<(), DatabaseError> {
    append_named(tx, target, None, now).await
}

/// As [`append`], for a revocation that may have a name.
pub(crate) async fn append_named(
    tx: &mut Tx<'_>,
    target: &Target,
    decision: Option<&str>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let revocation = Order {
        not_before: now,
        expires_at: expiry(now),
        lifted: false,
        decision,
    };
    append_order(tx, target, revocation, now).await
}

/// What was issued before a moment is refused by an entry, or who signed in before it; how long it is in force, whether it takes a block
/// back, and which decision it carries out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Order<'d> {
    pub(crate) not_before: UtcMicros,
    pub(crate) expires_at: UtcMicros,
    pub(crate) lifted: bool,
    pub(crate) decision: Option<&'d str>,
}

/// Keeps everybody else from appending until the transaction ends.
pub(crate) async fn hold(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    execute!(tx, sqlx::query(HOLD))?;
    Ok(())
}

/// As [`append`], for what is in force for a time of its own.
pub(crate) async fn append_order(
    tx: &mut Tx<'_>,
    target: &Target,
    order: Order<'_>,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let (cursor,) = fetch!(
        fetch_one,
        &mut *tx,
        sqlx::query_as::<_, (i64,)>(NEXT_CURSOR).bind(now.as_micros())
    )?;
    let (kind, value) = stored(target);
    if target.is_block() {
        // The last word alone counts. An earlier one that is to end later would come back once this one is forgotten.
        execute!(
            &mut *tx,
            sqlx::query(DELETE_OF_TARGET).bind(kind).bind(value.clone())
        )?;
    }
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(cursor)
            .bind(kind)
            .bind(value)
            .bind(order.not_before.as_micros())
            .bind(order.expires_at.as_micros())
            .bind(order.lifted)
            .bind(order.decision)
    )?;
    Ok(())
}

/// A target as it is kept.
pub(crate) fn stored(target: &Target) -> (&'static str, String) {
    match target {
        Target::Jti(value) => ("jti", value.clone()),
        Target::Sid(value) => ("sid", value.clone()),
        Target::Sub(value) => ("sub", value.clone()),
        Target::ClientId(value) => ("client_id", value.clone()),
        Target::Kid(value) => ("kid", value.clone()),
        Target::Address(net) => ("address", net.to_string()),
        Target::Subject(value) => ("subject", value.clone()),
        Target::Session(value) => ("session", value.clone()),
        Target::Token(value) => ("token", value.clone()),
        Target::StepUp(value) => ("step_up", value.clone()),
    }
}

/// What [`stored`] kept, if this version knows the kind.
pub(crate) fn target(kind: &str, value: String) -> Option<Target> {
    Some(match kind {
        "jti" => Target::Jti(value),
        "sid" => Target::Sid(value),
        "sub" => Target::Sub(value),
        "client_id" => Target::ClientId(value),
        "kid" => Target::Kid(value),
        "address" => Target::Address(value.parse().ok()?),
        "subject" => Target::Subject(value),
        "session" => Target::Session(value),
        "token" => Target::Token(value),
        "step_up" => Target::StepUp(value),
        _ => return None,
    })
}

/// The cursor of the last entry.
pub(crate) async fn head(tx: &mut Tx<'_>) -> Result<i64, DatabaseError> {
    let (head,) = fetch!(fetch_one, tx, sqlx::query_as::<_, (i64,)>(SELECT_HEAD))?;
    Ok(head)
}

/// The same for whoever asks nothing else.
pub(super) async fn look_up_head(database: &Database) -> Result<i64, DatabaseError> {
    let (head,) = read!(fetch_one, database, sqlx::query_as::<_, (i64,)>(SELECT_HEAD))?;
    Ok(head)
}

/// The last revocation of a subject or a client since a moment, if there was one.
pub(super) async fn last_of(
    tx: &mut Tx<'_>,
    (sub, client_id): (&str, &str),
    since: UtcMicros,
) -> Result<Option<UtcMicros>, DatabaseError> {
    let (last,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as::<_, (Option<i64>,)>(SELECT_LAST_OF)
            .bind(since.as_micros())
            .bind(sub)
            .bind(client_id)
    )?;
    Ok(last.map(UtcMicros::from_micros))
}

/// What the log holds after the cursor `since`, without what has expired.
///
/// A cursor beyond the log's end comes from a time before the database was restored from a backup; who asks with it gets
/// everything at once, and again, because it could not tell what is new.
pub(super) async fn page(tx: &mut Tx<'_>, since: i64, now: UtcMicros) -> Result<Page, DatabaseError> {
    // Read first: every entry up to the head is committed, and later ones are left for the next page.
    let head = head(tx).await?;
    let was_restored = since > head;
    let (after, limit) = if was_restored {
        (0, i64::MAX)
    } else {
        (since, PAGE_MAX)
    };
    let rows = fetch!(
        fetch_all,
        tx,
        sqlx::query_as::<_, Row>(SELECT_PAGE)
            .bind(after)
            .bind(head)
            .bind(now.as_micros())
            .bind(limit)
    )?;
    let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == limit);
    let cursor = if is_full {
        rows.last().map_or(head, |row| row.cursor)
    } else {
        head
    };
    Ok(Page {
        entries: rows.into_iter().filter_map(Row::entry).collect(),
        cursor,
        more: cursor < head,
    })
}

/// Deletes at most `count_max` entries that are not in force any more; how many.
pub(super) async fn delete_expired(
    tx: &mut Tx<'_>,
    now: UtcMicros,
    count_max: i64,
) -> Result<u64, DatabaseError> {
    execute!(
        tx,
        sqlx::query(DELETE_EXPIRED).bind(now.as_micros()).bind(count_max)
    )
}
