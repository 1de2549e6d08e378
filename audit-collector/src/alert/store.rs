//! Alerts at rest.

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, Tx, execute, fetch, read};
use sqlx::FromRow;

use super::cursor::{Cursor, Order};
use super::{AlertBody, AlertStatus, Verdict};
use crate::detection::Telling;
use crate::detection::engine::{Finding, Fingerprint, Told};

/// Alerts that are told in one step at most.
const UNTOLD_MAX: i64 = 100;

const KEEP: &str = "INSERT INTO alert (fingerprint, rule_id, rule_version, title, severity, group_fields, group_values, \
        window_start, fired_at, since, until, value, evidence, raised_at, updated_at, shadow, suppressed, told) \
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $14, $15, $16, $17) \
    ON CONFLICT (fingerprint) DO UPDATE SET \
        evidence = CASE WHEN excluded.fired_at < alert.fired_at THEN excluded.evidence ELSE alert.evidence END, \
        fired_at = CASE WHEN excluded.fired_at < alert.fired_at THEN excluded.fired_at ELSE alert.fired_at END, \
        since = CASE WHEN excluded.since < alert.since THEN excluded.since ELSE alert.since END, \
        until = CASE WHEN excluded.until > alert.until THEN excluded.until ELSE alert.until END, \
        value = CASE WHEN excluded.value > alert.value THEN excluded.value ELSE alert.value END, \
        updated_at = excluded.updated_at, withdrawn_at = NULL \
    RETURNING raised_at";

/// What was kept back appears when it grows. What is only judged again stays as it was told.
const APPEAR: &str = "UPDATE alert SET shadow = FALSE, suppressed = NULL, told = FALSE, raised_at = $2 \
    WHERE fingerprint = $1 AND (shadow OR suppressed IS NOT NULL) AND (until < $3 OR value < $4)";

const COLUMNS: &str = "fingerprint, rule_id, rule_version, title, severity, group_fields, group_values, window_start, \
    fired_at, since, until, value, evidence, raised_at, updated_at, withdrawn_at, shadow, suppressed, status, verdict, \
    assignee, revision";

#[derive(FromRow)]
struct AlertRow {
    fingerprint: Vec<u8>,
    rule_id: String,
    rule_version: String,
    title: String,
    severity: String,
    group_fields: String,
    group_values: String,
    window_start: i64,
    fired_at: i64,
    since: i64,
    until: i64,
    value: f64,
    evidence: String,
    raised_at: i64,
    updated_at: i64,
    withdrawn_at: Option<i64>,
    shadow: bool,
    suppressed: Option<String>,
    status: String,
    verdict: Option<String>,
    assignee: Option<String>,
    revision: i64,
}

impl From<AlertRow> for AlertBody {
    fn from(row: AlertRow) -> Self {
        let fields: Vec<String> = serde_json::from_str(&row.group_fields).unwrap_or_default();
        let values: Vec<String> = serde_json::from_str(&row.group_values).unwrap_or_default();
        let time = UtcMicros::from_micros;
        Self {
            fingerprint: hex(&row.fingerprint),
            rule: row.rule_id,
            rule_version: row.rule_version,
            title: row.title,
            severity: row.severity,
            group: fields
                .into_iter()
                .zip(values.into_iter().map(Into::into))
                .collect(),
            window_start: time(row.window_start),
            fired_at: time(row.fired_at),
            since: time(row.since),
            until: time(row.until),
            value: row.value,
            evidence: serde_json::from_str(&row.evidence).unwrap_or_default(),
            raised_at: time(row.raised_at),
            updated_at: time(row.updated_at),
            withdrawn_at: row.withdrawn_at.map(time),
            shadow: row.shadow,
            suppressed: row.suppressed,
            status: word(&AlertStatus::WORDS, &row.status).unwrap_or_default(),
            verdict: row.verdict.and_then(|verdict| word(&Verdict::WORDS, &verdict)),
            assignee: row.assignee,
            revision: row.revision,
        }
    }
}

/// What a word stands for; the database takes no other words.
fn word<T: Copy>(words: &[(&str, T)], text: &str) -> Option<T> {
    words
        .iter()
        .find(|(word, _)| *word == text)
        .map(|(_, known)| *known)
}

fn hex(bytes: &[u8]) -> String {
    let fingerprint: Result<[u8; 16], _> = bytes.try_into();
    fingerprint.map_or_else(|_| String::new(), |bytes| Fingerprint(bytes).to_string())
}

/// Keeps a finding as an alert; whether nobody could know of it before. One that is known only grows; one that was withdrawn stands
/// again; one that was kept back and grows, now that it is to be told, is raised now.
pub(crate) async fn keep(
    tx: &mut Tx<'_>,
    finding: &Finding,
    telling: Telling<'_>,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    let rule = &finding.rule;
    if telling.is_told() {
        execute!(
            tx,
            sqlx::query(APPEAR)
                .bind(finding.fingerprint.0.to_vec())
                .bind(now.as_micros())
                .bind(finding.until.as_micros())
                .bind(finding.value)
        )?;
    }
    let (raised_at,): (i64,) = fetch!(
        fetch_one,
        tx,
        sqlx::query_as(KEEP)
            .bind(finding.fingerprint.0.to_vec())
            .bind(&*rule.id)
            .bind(&rule.version)
            .bind(&rule.title)
            .bind(rule.severity.as_str())
            .bind(json(&rule.group_names()))
            .bind(json(&finding.group))
            .bind(finding.window_start.as_micros())
            .bind(finding.at.as_micros())
            .bind(finding.since.as_micros())
            .bind(finding.until.as_micros())
            .bind(finding.value)
            .bind(json(&finding.evidence))
            .bind(now.as_micros())
            .bind(telling.is_shadow)
            .bind(telling.silenced.map(str::to_owned))
            .bind(!telling.is_told())
    )?;
    Ok(raised_at == now.as_micros())
}

/// Lists of texts and ids can always be written.
fn json(list: &impl serde::Serialize) -> String {
    serde_json::to_string(list).unwrap_or_default()
}

/// Notes that late events took an alert's ground away. Whoever looks after it sees that; it is not deleted.
pub(crate) async fn withdraw(
    tx: &mut Tx<'_>,
    fingerprint: Fingerprint,
    now: UtcMicros,
) -> Result<(), DatabaseError> {
    let update =
        "UPDATE alert SET withdrawn_at = $2, updated_at = $2 WHERE fingerprint = $1 AND withdrawn_at IS NULL";
    execute!(
        tx,
        sqlx::query(update)
            .bind(fingerprint.0.to_vec())
            .bind(now.as_micros())
    )?;
    Ok(())
}

/// Alerts whose event is not written yet, the oldest first.
pub(crate) async fn untold(database: &Database) -> Result<Vec<AlertBody>, DatabaseError> {
    let select = format!("SELECT {COLUMNS} FROM alert WHERE NOT told ORDER BY raised_at LIMIT $1");
    let rows: Vec<AlertRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(UNTOLD_MAX)
    )?;
    Ok(rows.into_iter().map(AlertBody::from).collect())
}

/// Notes that an alert's event is written.
pub(crate) async fn retold(tx: &mut Tx<'_>, alert: &AlertBody) -> Result<(), DatabaseError> {
    let fingerprint = Fingerprint::parse(&alert.fingerprint).map_or_else(Vec::new, |known| known.0.to_vec());
    let update = "UPDATE alert SET told = TRUE WHERE fingerprint = $1";
    execute!(tx, sqlx::query(update).bind(fingerprint))?;
    Ok(())
}

/// The alerts that stand whose periods begin from `from` on and before `until`.
pub(crate) async fn told_in(
    database: &Database,
    from: UtcMicros,
    until: UtcMicros,
) -> Result<Vec<(Told, AlertBody)>, DatabaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM alert WHERE window_start >= $1 AND window_start < $2 AND withdrawn_at IS NULL"
    );
    let rows: Vec<AlertRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
            .bind(from.as_micros())
            .bind(until.as_micros())
    )?;
    let told = |alert: AlertBody| {
        Some((
            Told {
                fingerprint: Fingerprint::parse(&alert.fingerprint)?,
                rule: alert.rule.as_str().into(),
                window_start: alert.window_start,
                at: alert.fired_at,
            },
            alert,
        ))
    };
    Ok(rows.into_iter().map(AlertBody::from).filter_map(told).collect())
}

/// Who looks after those that are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Assigned {
    /// Nobody.
    Nobody,
    /// The one of that name.
    To(String),
}

/// Which alerts are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct AlertSearch {
    pub(super) rule: Option<String>,
    pub(super) status: Option<&'static str>,
    pub(super) severity: Option<&'static str>,
    pub(super) assignee: Option<Assigned>,
    /// Whether those of shadow rules, suppressed and withdrawn ones are given too.
    pub(super) all: bool,
    pub(super) order: Order,
    pub(super) after: Option<Cursor>,
    pub(super) limit: u16,
}

/// The place of a severity among the others. There is an index by this very expression.
const RANK: &str = "CASE severity WHEN 'critical' THEN 4 WHEN 'high' THEN 3 WHEN 'medium' THEN 2 WHEN 'low' THEN 1 ELSE 0 END";

/// The same of a word.
pub(super) fn rank(severity: &str) -> u8 {
    match severity {
        "critical" => 4,
        "high" => 3,
        "medium" => 2,
        "low" => 1,
        _ => 0,
    }
}

/// One alert more than `limit`, which tells whether there are more.
pub(super) async fn find(database: &Database, search: &AlertSearch) -> Result<Vec<AlertBody>, DatabaseError> {
    // A number alone would be the number of a column.
    let rank = match search.order {
        Order::Time => "(0 + 0)",
        Order::Severity => RANK,
    };
    let select = format!(
        "SELECT {COLUMNS} FROM alert \
         WHERE ($1 IS NULL OR rule_id = $1) AND ($2 IS NULL OR status = $2) AND ($3 IS NULL OR severity = $3) \
         AND ($4 OR (NOT shadow AND suppressed IS NULL AND withdrawn_at IS NULL)) \
         AND ({rank}, raised_at, fingerprint) < ($10, $5, $6) \
         AND ($8 IS NULL OR assignee = $8) AND (NOT $9 OR assignee IS NULL) \
         ORDER BY {rank} DESC, raised_at DESC, fingerprint DESC LIMIT $7"
    );
    let (is_nobodys, assignee) = match &search.assignee {
        None => (false, None),
        Some(Assigned::Nobody) => (true, None),
        Some(Assigned::To(name)) => (false, Some(name.clone())),
    };
    let after = search.after.unwrap_or(Cursor::BEFORE_ALL);
    let rows: Vec<AlertRow> = read!(
        fetch_all,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone()))
            .bind(search.rule.clone())
            .bind(search.status)
            .bind(search.severity)
            .bind(search.all)
            .bind(after.raised_at.as_micros())
            .bind(after.fingerprint.0.to_vec())
            .bind(i64::from(search.limit) + 1)
            .bind(assignee.clone())
            .bind(is_nobodys)
            .bind(i32::from(after.rank.unwrap_or(0)))
    )?;
    Ok(rows.into_iter().map(AlertBody::from).collect())
}

/// The alert with that fingerprint.
pub(crate) async fn alert(
    database: &Database,
    fingerprint: Fingerprint,
) -> Result<Option<AlertBody>, DatabaseError> {
    let select = format!("SELECT {COLUMNS} FROM alert WHERE fingerprint = $1");
    let row: Option<AlertRow> = read!(
        fetch_optional,
        database,
        sqlx::query_as(sqlx::AssertSqlSafe(select.clone())).bind(fingerprint.0.to_vec())
    )?;
    Ok(row.map(AlertBody::from))
}

/// How often each rule has fired, and how its closed alerts were judged: all, true, false, benign.
pub(crate) async fn firings(database: &Database) -> Result<Vec<(String, i64, i64, i64, i64)>, DatabaseError> {
    let select = "SELECT rule_id, COUNT(*), COUNT(CASE WHEN verdict = 'true' THEN 1 END), \
        COUNT(CASE WHEN verdict = 'false' THEN 1 END), COUNT(CASE WHEN verdict = 'benign' THEN 1 END) \
        FROM alert WHERE withdrawn_at IS NULL GROUP BY rule_id";
    read!(fetch_all, database, sqlx::query_as(select))
}
