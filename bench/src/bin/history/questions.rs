//! What is asked, and how long the answers take.

use std::time::Duration;

use bench::Outcome;
use bench::http::Connection;
use shared::clock::{Clock as _, SystemClock, UtcMicros};
use shared::runtime::cli::say;
use sqlx::FromRow;
use sqlx::postgres::PgPool;
use url::form_urlencoded::Serializer;

use crate::desk::Desk;

/// What 95 of a hundred answers are to stay below.
const TARGET: Duration = Duration::from_millis(100);

/// Filters of the console (`audit-collector/console/filter.js`).
const QUIET: &str = "-(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)";
const REQUESTS: &str =
    "class:access action:api_request -(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)";
const FAILED: &str =
    "outcome:(denied failure error) -(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)";
const SIGN_INS: &str = "action:(authn_login_success authn_login_fail)";
const PROVED: &str = "identity:verified -(route:/v1/* outcome:granted) -action:(heartbeat sensitive_read)";

/// Hours of the periods that are asked for.
const DAY: u64 = 24;
const WEEK: u64 = 7 * DAY;
const MONTH: u64 = 30 * DAY;

/// An event whose values are asked for: a frequent value comes as often as it is frequent.
#[derive(Debug, FromRow)]
pub(crate) struct Sample {
    id: String,
    time: i64,
    username: String,
    sub: String,
    sid: String,
    jti: String,
    ip: String,
    route: String,
    template: String,
    request_id: String,
}

/// A question: its name, its path, its parameters with a filter that may name a value of an event, and its period.
struct Question {
    name: &'static str,
    path: &'static str,
    more: &'static [(&'static str, &'static str)],
    filter: fn(&Sample) -> String,
    hours: u64,
}

/// A question that was asked, and how it is asked again.
pub(crate) struct Timed {
    pub(crate) name: String,
    pub(crate) p95: Duration,
    pub(crate) path: String,
}

macro_rules! question {
    ($name:literal, $path:literal, $hours:expr, [$($parameter:literal = $value:literal),*], $filter:expr) => {
        Question { name: $name, path: $path, more: &[$(($parameter, $value)),*], filter: $filter, hours: $hours }
    };
}

#[expect(clippy::too_many_lines, reason = "it is a list")]
fn questions() -> Vec<Question> {
    let mut all = vec![
        question!("event by its id", "/v1/events/{id}", 0, [], |_| String::new()),
        question!(
            "events, first page",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| QUIET.to_owned()
        ),
        question!(
            "events before a moment",
            "/v1/events?before",
            MONTH,
            ["limit" = "50"],
            |_| QUIET.to_owned()
        ),
        question!(
            "events, a user",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(user:{}) {QUIET}", one.username)
        ),
        question!(
            "events, a subject",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(sub:{}) {QUIET}", one.sub)
        ),
        question!(
            "events, an address",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(ip:{}) {QUIET}", one.ip)
        ),
        question!(
            "events, a session",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(sid:{}) {QUIET}", one.sid)
        ),
        question!(
            "events, a token",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(jti:{}) {QUIET}", one.jti)
        ),
        question!(
            "events, a request",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("request:{}", one.request_id)
        ),
        question!(
            "events, a route",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(route:{}) {QUIET}", one.route)
        ),
        question!(
            "events, a template",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(route:\"{}\") {QUIET}", one.template)
        ),
        question!(
            "events, a user refused",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(user:{} outcome:denied) {QUIET}", one.username)
        ),
        question!(
            "events, a route refused",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |one| format!("(route:{} outcome:denied) {QUIET}", one.route)
        ),
        question!(
            "events, refused",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(outcome:denied) {QUIET}")
        ),
        question!(
            "events, failed",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(outcome:error) {QUIET}")
        ),
        question!(
            "events, a status",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(status:403) {QUIET}")
        ),
        question!(
            "events, a class of status",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(status:5xx) {QUIET}")
        ),
        question!(
            "events, a status that never was",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(status:418) {QUIET}")
        ),
        question!(
            "events, a frequent reason",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(reason:token_expired) {QUIET}")
        ),
        question!(
            "events, a rare reason",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(reason:session_revoked) {QUIET}")
        ),
        question!(
            "events, a reason that never was",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(reason:token_replayed) {QUIET}")
        ),
        question!(
            "events, a user that never was",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| format!("(user:mallory) {QUIET}")
        ),
        question!(
            "events, failed sign-ins",
            "/v1/events",
            MONTH,
            ["limit" = "50"],
            |_| "action:authn_login_fail".to_owned()
        ),
        question!("timeline of a session", "/v1/timeline", 0, ["sid" = ""], |one| {
            one.sid.clone()
        }),
        question!("timeline of a token", "/v1/timeline", 0, ["jti" = ""], |one| one
            .jti
            .clone()),
        question!("timeline of a subject", "/v1/timeline", 0, ["sub" = ""], |one| {
            one.sub.clone()
        }),
        question!(
            "open alerts",
            "/v1/alerts",
            0,
            ["status" = "open", "limit" = "5"],
            |_| String::new()
        ),
        question!(
            "typed: a user's name",
            "/v1/stats/completions",
            0,
            ["field" = "user", "prefix" = "user12"],
            |_| String::new()
        ),
        question!(
            "typed: a route's name",
            "/v1/stats/completions",
            0,
            ["field" = "route", "prefix" = "ord"],
            |_| String::new()
        ),
    ];
    for hours in [DAY, WEEK, MONTH] {
        all.extend([
            question!("completeness", "/v1/completeness", hours, [], |_| String::new()),
            question!(
                "series, requests by outcome",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |_| REQUESTS.to_owned()
            ),
            question!(
                "series, sign-ins by outcome",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |_| SIGN_INS.to_owned()
            ),
            question!(
                "series above the events",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |_| QUIET.to_owned()
            ),
            question!(
                "series of a user",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |one| format!("(user:{}) {QUIET}", one.username)
            ),
            question!(
                "series of an address",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |one| format!("(ip:{}) {QUIET}", one.ip)
            ),
            question!(
                "series of a route",
                "/v1/stats/series",
                hours,
                ["by" = "outcome"],
                |one| format!("(route:{}) {QUIET}", one.route)
            ),
            question!("heat map", "/v1/stats/heatmap", hours, ["offset" = "60"], |_| {
                REQUESTS.to_owned()
            }),
            question!("top reasons", "/v1/stats/top", hours, ["by" = "reason"], |_| {
                FAILED.to_owned()
            }),
            question!("top actions", "/v1/stats/top", hours, ["by" = "action"], |_| {
                QUIET.to_owned()
            }),
            question!("top routes", "/v1/stats/top", hours, ["by" = "route"], |_| QUIET
                .to_owned()),
            question!("top users", "/v1/stats/top", hours, ["by" = "user"], |_| PROVED
                .to_owned()),
            question!("top addresses", "/v1/stats/top", hours, ["by" = "ip"], |_| QUIET
                .to_owned()),
            question!(
                "top routes of a user",
                "/v1/stats/top",
                hours,
                ["by" = "route"],
                |one| format!("user:{}", one.username)
            ),
            question!(
                "distinct users",
                "/v1/stats/distinct",
                hours,
                ["by" = "user"],
                |_| QUIET.to_owned()
            ),
            question!(
                "distinct addresses refused",
                "/v1/stats/distinct",
                hours,
                ["by" = "ip"],
                |_| "outcome:denied".to_owned()
            ),
            question!("percentiles", "/v1/stats/percentiles", hours, [], |_| {
                "class:access".to_owned()
            }),
            question!(
                "percentiles by route",
                "/v1/stats/percentiles",
                hours,
                ["by" = "route"],
                |_| "class:access".to_owned()
            ),
            question!(
                "percentiles of a route",
                "/v1/stats/percentiles",
                hours,
                [],
                |one| format!("route:{}", one.route)
            ),
            question!(
                "ratio of refusals",
                "/v1/stats/ratio",
                hours,
                ["of" = "outcome:denied"],
                |_| "class:access".to_owned()
            ),
            question!("facets", "/v1/stats/facets", hours, [], |_| QUIET.to_owned()),
            question!("summary", "/v1/stats/summary", hours, [], |_| String::new()),
        ]);
    }
    all
}

impl Question {
    fn title(&self) -> String {
        match self.hours {
            0 => self.name.to_owned(),
            DAY => format!("{}, 24 hours", self.name),
            hours => format!("{}, {} days", self.name, hours / DAY),
        }
    }

    /// The path with everything in it, as of `now`.
    fn ask(&self, sample: &Sample, now: UtcMicros) -> String {
        let filter = (self.filter)(sample);
        let (path, before) = match self.path.split_once('?') {
            Some((path, _)) => (path, Some(sample.time)),
            None => (self.path, None),
        };
        let mut query = Serializer::new(String::new());
        for (name, value) in self.more {
            // A parameter without a value takes what is otherwise the filter.
            query.append_pair(name, if value.is_empty() { &filter } else { value });
        }
        if !filter.is_empty() && path != "/v1/timeline" {
            query.append_pair("q", &filter);
        }
        if self.hours > 0 {
            let from = now.minus(Duration::from_hours(self.hours));
            query.append_pair("from", &from.to_string());
        }
        if let Some(before) = before {
            query.append_pair("to", &UtcMicros::from_micros(before).to_string());
        }
        let path = path.replace("{id}", &sample.id);
        let query = query.finish();
        if query.is_empty() {
            path
        } else {
            format!("{path}?{query}")
        }
    }
}

/// Asks each question so many times, one after the other over one connection, says how long the answers took, and returns what was
/// asked.
pub(crate) async fn measure(
    desk: &Desk,
    pool: &PgPool,
    (rounds, only): (usize, Option<&str>),
) -> Outcome<Vec<Timed>> {
    let samples = samples(pool, rounds).await?;
    let mut connection = desk.connect().await?;
    let mut told = Vec::new();
    say("| question | p50 ms | p95 ms | at most | |");
    say("|---|---|---|---|---|");
    for question in questions() {
        let title = question.title();
        if only.is_some_and(|only| !title.contains(only)) {
            continue;
        }
        let asked = ask(desk, &mut connection, (&question, &samples)).await?;
        let at = |percent: usize| {
            let place = asked.len() * percent / 100;
            asked.get(place.min(asked.len() - 1)).ok_or("nothing was asked")
        };
        let (middle, high, most) = (at(50)?, at(95)?, at(100)?);
        let millis = |one: &Asked| one.took.as_secs_f64() * 1e3;
        let refused = asked.iter().filter(|one| one.status != 200).count();
        let note = match (refused, high.took > TARGET) {
            (0, false) => String::new(),
            (0, true) => "over".to_owned(),
            _ => format!("{refused} of {} refused as too costly", asked.len()),
        };
        say(&format!(
            "| {title} | {:.1} | {:.1} | {:.1} | {note} |",
            millis(middle),
            millis(high),
            millis(most)
        ));
        told.push(Timed {
            name: title,
            p95: high.took,
            path: high.path.clone(),
        });
    }
    Ok(told)
}

struct Asked {
    took: Duration,
    status: u16,
    path: String,
}

/// The longest that one question is asked.
const QUESTION_MAX: Duration = Duration::from_secs(15);

/// How long each answer took, in order.
async fn ask(
    desk: &Desk,
    connection: &mut Connection,
    (question, samples): (&Question, &[Sample]),
) -> Outcome<Vec<Asked>> {
    let mut asked = Vec::new();
    let mut all = Duration::ZERO;
    for sample in samples {
        let path = question.ask(sample, SystemClock.now());
        let (took, status) = desk.ask(connection, &path).await?;
        if ![200, 503].contains(&status) {
            return Err(format!("{status} to {path}").into());
        }
        all += took;
        asked.push(Asked { took, status, path });
        if all > QUESTION_MAX {
            break;
        }
    }
    asked.sort_unstable_by_key(|one| one.took);
    Ok(asked)
}

async fn samples(pool: &PgPool, number: usize) -> Outcome<Vec<Sample>> {
    let select = "SELECT id::text AS id, time, username, sub, sid, jti, \
            host('0.0.0.0'::inet + ('x' || encode(substring(ip FROM 13), 'hex'))::bit(32)::bigint) AS ip, route, template, request_id \
        FROM (SELECT * FROM event_access TABLESAMPLE SYSTEM (0.02) REPEATABLE (7)) AS chosen \
        WHERE username IS NOT NULL AND ip IS NOT NULL ORDER BY md5(id::text) LIMIT $1";
    let samples = sqlx::query_as(select).bind(i64::try_from(number)?);
    Ok(samples.fetch_all(pool).await?)
}
