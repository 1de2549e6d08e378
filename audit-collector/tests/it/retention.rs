//! How long events are kept, and what is kept longer.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::import::{Input, import};
use audit_collector::retention::{Keeping, Periods, PutOff, Report, Retention, Unfinished, preview, sweep};
use audit_collector::search::Search;
use audit_collector::statistics::Top;
use audit_collector::{rollup, sequencing};
use aws_lc_rs::digest::{Context, SHA256, digest};
use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use shared::clock::{Clock as _, ManualClock, SharedClock, UtcMicros};
use shared::event::{Class, Event, Facts, Outcome, action, wire};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Transport};
use sqlx::{AssertSqlSafe, Connection as _};
use tempfile::TempDir;

use crate::harness::api::{Answer, TestApi};
use crate::harness::counting::asked;
use crate::harness::database::TestDatabase;
use crate::harness::events::{arrival, event, request_facts};

on_both_databases!(
    what_was_kept_for_long_enough_is_removed_and_the_order_and_the_counts_stay,
    a_heavy_name_is_forgotten_with_its_events_and_what_is_left_is_counted_from_rows,
    a_batch_that_keeps_some_of_its_events_can_still_be_checked,
    what_is_held_is_kept_until_somebody_else_confirms_its_release,
    imported_events_are_kept_from_their_import_on,
    a_dry_run_removes_nothing_and_tells_the_same,
    nothing_is_removed_that_is_not_counted_yet,
    a_shorter_time_waits_for_a_second_person_and_a_longer_one_does_not,
    alerts_go_with_their_messages_and_stay_while_there_is_a_hold,
    what_was_removed_is_recorded_although_the_run_fails_later,
);

/// After the first range of PostgreSQL, which ends two days after its migration: 2027-06-01.
const BASE: i64 = 1_811_808_000;

const fn day(day: i64) -> UtcMicros {
    UtcMicros::from_seconds(BASE + day * 86_400)
}

/// A collector that removes events.
struct Removing {
    log: EventLog,
    clock: Arc<ManualClock>,
    retention: Retention,
    transport: Transport,
    _spool: (TempDir, SpoolTasks),
}

impl Removing {
    async fn on(database: &TestDatabase) -> Self {
        let log = database.log().await;
        let clock = Arc::new(ManualClock::at(day(0)));
        let folder = TempDir::new().unwrap();
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let transport = Transport::InProcess(Bus::new());
        let (spool, tasks) = spool::open(&settings, &transport, clock.clone()).unwrap();
        let retention = Retention {
            database: log.database().clone(),
            periods: Periods::default(),
            spool,
            clock: clock.clone(),
        };
        // Completeness is said to have come to the end: what it does has tests of its own.
        database
            .change("INSERT INTO completeness (id, position, state) VALUES (1, 1000000, '{}')")
            .await;
        database
            .change("UPDATE detection_state SET position = 1000000, memories_position = 1000000")
            .await;
        let removing = Self {
            log,
            clock,
            retention,
            transport,
            _spool: (folder, tasks),
        };
        removing.sweep().await;
        removing
    }

    /// Stores a batch at that day, in its place in the log and in the counts.
    async fn store(&self, batch: &[Arrival], at: UtcMicros) {
        self.log.append(batch, &[], at).await.unwrap();
        self.follow().await;
    }

    async fn follow(&self) {
        let stop = CancellationToken::new();
        let leading = tokio::spawn(sequencing::run(self.log.clone(), stop.clone()));
        stop.cancel();
        leading.await.unwrap();
        rollup::catch_up(&self.log).await.unwrap();
    }

    async fn sweep(&self) -> Vec<Report> {
        sweep(&self.retention, &CancellationToken::new())
            .await
            .unwrap()
            .unwrap()
    }

    /// Goes on to that day and removes what is due there. Returns what came of access events.
    async fn sweep_at(&self, to: i64) -> Report {
        self.clock.advance(day(to).since(self.clock.now()));
        let reports = self.sweep().await;
        reports
            .into_iter()
            .find(|report| report.class == Class::Access)
            .unwrap()
    }

    /// The first run that was recorded with that outcome.
    async fn run_that_was(&self, outcome: Outcome) -> Event {
        let mut recorded = self.transport.consumer(100);
        loop {
            let receiving = recorded.receive(1, Duration::ZERO);
            let received = tokio::time::timeout(Duration::from_secs(10), receiving).await;
            let delivery = received.expect("no such run was recorded").unwrap().remove(0);
            let event = wire::decode(&delivery.body).unwrap();
            recorded.acknowledge(vec![delivery.receipt]).await.unwrap();
            if event.facts.action == action::RETENTION_RUN && event.facts.outcome == outcome {
                return event;
            }
        }
    }

    async fn found(&self, query: &str) -> Vec<Value> {
        let page = self
            .log
            .search(&Search::parse(query, day(0)).unwrap())
            .await
            .unwrap();
        page.events
            .iter()
            .map(|event| serde_json::to_value(event).unwrap())
            .collect()
    }
}

fn access(username: &str, at: UtcMicros) -> Arrival {
    let mut facts = request_facts();
    facts.actor.username = Some(username.to_owned());
    arrival(event(at, facts))
}

fn login(at: UtcMicros) -> Arrival {
    arrival(event(
        at,
        Facts::new(Class::Auth, action::AUTHN_LOGIN_SUCCESS, Outcome::Success),
    ))
}

async fn what_was_kept_for_long_enough_is_removed_and_the_order_and_the_counts_stay(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    let old = [access("a", day(0)), login(day(0)), access("b", day(1))];
    removing.store(&old, day(1)).await;
    removing
        .store(&[access("c", day(60)), access("d", day(61))], day(61))
        .await;
    let counts = "SELECT CAST(SUM(events) AS BIGINT) FROM rollup WHERE width = 3600 AND detail = 1";
    let before = database.number(counts).await;
    let names = "SELECT COUNT(*) FROM rollup_sketch WHERE frequent_users IS NOT NULL AND width = 86400";
    assert_eq!(database.number(names).await, 5);

    let kept = removing.sweep_at(90).await;
    let removed = removing.sweep_at(105).await;

    assert_eq!(kept.removed.events, 0);
    assert_eq!(removed.removed.events, 2);
    // A page is found although what is counted is not there any more.
    assert_eq!(removing.found("class=access").await.len(), 2);
    // Names are forgotten with their events; those of other classes stay.
    assert_eq!(database.number(names).await, 3);
    assert_eq!(removing.found("class=auth").await.len(), 1);
    // As another process reads it: this one knows them for another minute.
    let elsewhere = EventLog::new(removing.log.database().clone());
    let positions = elsewhere.read_positions(0, 10).await.unwrap();
    let positions: Vec<_> = positions.iter().map(|event| event.position).collect();
    assert_eq!(positions, [1, 3, 4]);
    assert_eq!(removing.log.size().await.unwrap(), 5);
    assert_eq!((before, database.number(counts).await), (5, 5));
    // What comes afterwards has the next places.
    removing.store(&[access("e", day(105))], day(105)).await;
    assert_eq!(removing.log.read_positions(5, 10).await.unwrap()[0].position, 5);
}

async fn a_heavy_name_is_forgotten_with_its_events_and_what_is_left_is_counted_from_rows(
    database: &TestDatabase,
) {
    let removing = Removing::on(database).await;
    let moment = |number: i64| day(0).plus(Duration::from_secs(number.unsigned_abs()));
    let mut batch: Vec<_> = (0..300).map(|number| access("robot", moment(number))).collect();
    // Of another class, which is kept for longer: one of the same, and somebody who has no others.
    for number in 0..300 {
        let mut facts = Facts::new(Class::Auth, action::AUTHN_LOGIN_SUCCESS, Outcome::Success);
        facts.actor.username = Some(if number == 0 { "robot" } else { "clock" }.to_owned());
        batch.push(arrival(event(moment(number), facts)));
    }
    removing.store(&batch, day(0)).await;
    removing.store(&[access("c", day(60))], day(60)).await;
    let [names, counts] =
        ["rollup_heavy", "rollup_heavy_count"].map(|table| format!("SELECT COUNT(*) FROM {table}"));
    let told = async || {
        let top = asked::<Top>(&removing.log, "by=route&q=user:robot").await;
        top.events
    };
    removing.sweep_at(89).await;
    // Two users and an address.
    assert_eq!((database.number(&names).await, told().await), (3, 301));

    removing.sweep_at(105).await;

    assert_eq!(
        (database.number(&names).await, database.number(&counts).await),
        (1, 2)
    );
    assert_eq!(told().await, 1);
}

async fn a_batch_that_keeps_some_of_its_events_can_still_be_checked(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    let batch = [
        access("a", day(0)),
        login(day(0)),
        access("b", day(0)),
        access("c", day(0)),
    ];
    removing.store(&batch, day(0)).await;
    let gone = [access("d", day(0)), access("e", day(0))];
    removing.store(&gone, day(0)).await;

    removing.sweep_at(105).await;

    let digests: Vec<(Vec<u8>,)> = database
        .rows("SELECT digest FROM batch ORDER BY first_position")
        .await;
    let rows: Vec<(Vec<u8>,)> = database
        .rows("SELECT leaves FROM removed_leaves ORDER BY first_ordinal")
        .await;
    let mut leaves: Vec<(u32, Vec<u8>)> = rows
        .iter()
        .flat_map(|(leaves,)| leaves.chunks(36))
        .map(|leaf| {
            (
                u32::from_be_bytes(leaf[..4].try_into().unwrap()),
                leaf[4..].to_vec(),
            )
        })
        .collect();
    assert_eq!(leaves.len(), 3);
    let kept = [&[0], batch[1].body.as_ref()].concat();
    leaves.push((1, digest(&SHA256, &kept).as_ref().to_vec()));
    leaves.sort();
    let mut context = Context::new(&SHA256);
    for (_, leaf) in &leaves {
        context.update(leaf);
    }
    assert_eq!(context.finish().as_ref(), digests[0].0);
    // The batch that kept nothing keeps its place and its digest, which need no leaves.
    assert_eq!(digests.len(), 2);
    removing.sweep_at(450).await;
    assert_eq!(database.number("SELECT COUNT(*) FROM removed_leaves").await, 0);
}

/// A person with the scope to act.
async fn post(api: &TestApi, sub: &str, path: &str, body: Value) -> Answer {
    let token = api.token_of(sub, "audit:read audit:respond", "gatelog");
    let request = Request::post(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    api.send(request.body(Body::from(body.to_string())).unwrap())
        .await
}

async fn what_is_held_is_kept_until_somebody_else_confirms_its_release(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    let bob = access("bob", day(0));
    removing
        .store(&[access("a", day(0)), bob.clone(), access("c", day(0))], day(0))
        .await;
    let mut api = TestApi::on(database.log().await);
    let wish = json!({"name": "case 7", "q": "user:bob", "reason": "asked for by counsel"});

    let hold = post(&api, "usr_1", "/v1/holds", wish.clone()).await;
    assert_eq!(hold.status, StatusCode::CREATED, "{}", hold.body);
    assert_eq!(
        post(&api, "usr_1", "/v1/holds", wish).await.body["code"],
        "hold_refused"
    );
    let removed = removing.sweep_at(105).await.removed;
    assert_eq!(removed.events, 2);
    let found = removing.found("class=access").await;
    assert_eq!((found.len(), &found[0]["actor"]["username"]), (1, &"bob".into()));
    // It is still the one with its id.
    assert_eq!(
        removing
            .log
            .append(&[bob], &[], day(105))
            .await
            .unwrap()
            .duplicates,
        1
    );

    let id = hold.body["id"].as_str().unwrap();
    let release = format!("/v1/holds/{id}/release");
    let change = post(&api, "usr_1", &release, json!({"reason": "closed"})).await;
    assert_eq!(change.status, StatusCode::ACCEPTED, "{}", change.body);
    let confirm = format!(
        "/v1/retention/changes/{}/confirm",
        change.body["id"].as_str().unwrap()
    );
    let own = post(&api, "usr_1", &confirm, json!({})).await;
    assert_eq!(
        (own.status, &own.body["code"]),
        (StatusCode::FORBIDDEN, &"change_unconfirmed".into())
    );
    assert_eq!(removing.sweep_at(106).await.removed.events, 0);

    assert_eq!(
        post(&api, "usr_2", &confirm, json!({})).await.status,
        StatusCode::OK
    );
    assert_eq!(
        post(&api, "usr_2", &confirm, json!({})).await.body["code"],
        "change_not_found"
    );
    assert_eq!(removing.sweep_at(107).await.removed.events, 1);
    assert!(removing.found("class=access").await.is_empty());

    steps_were_recorded(&mut api).await;
}

async fn steps_were_recorded(api: &mut TestApi) {
    for name in [
        action::HOLD_ADDED,
        action::RETENTION_CHANGE_REQUESTED,
        action::RETENTION_CHANGE_CONFIRMED,
        action::RETENTION_CHANGE_CONFIRMED,
    ] {
        let told = api
            .recorded_event(|event| event.facts.action != action::SENSITIVE_READ)
            .await;
        assert_eq!(told.facts.action, name);
    }
}

async fn imported_events_are_kept_from_their_import_on(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    let line = r#"192.0.2.9 - - [10/Oct/2000:13:55:36 -0700] "GET /a HTTP/1.1" 200 1"#;
    let input = Input {
        name: "www".to_owned(),
        reader: Box::new(line.as_bytes()),
        format: None,
        rejects: "/dev/null".into(),
    };
    let clock: SharedClock = removing.clock.clone();
    import(&removing.log, &clock, input, |_| {}).await.unwrap();
    removing.follow().await;

    assert_eq!(removing.sweep_at(89).await.removed.events, 0);
    assert_eq!(removing.found("service=import&class=access").await.len(), 1);
    assert_eq!(removing.sweep_at(91).await.removed.events, 1);
}

async fn a_dry_run_removes_nothing_and_tells_the_same(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    removing
        .store(&[access("a", day(0)), access("b", day(1)), login(day(0))], day(1))
        .await;
    removing.clock.advance(Duration::from_hours(24 * 105));

    let (database, periods) = (removing.log.database(), &removing.retention.periods);
    let told = preview(database, periods, removing.clock.now()).await.unwrap();

    assert_eq!(removing.found("").await.len(), 3);
    assert_eq!(told, removing.sweep().await);
    assert_eq!(removing.found("").await.len(), 1);
}

async fn nothing_is_removed_that_is_not_counted_yet(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    removing
        .log
        .append(&[access("a", day(0))], &[], day(0))
        .await
        .unwrap();

    let unordered = removing.sweep_at(105).await;
    removing.follow().await;
    database.change("UPDATE completeness SET position = 0").await;
    let uncounted = removing.sweep_at(106).await;
    database.change("UPDATE completeness SET position = 1").await;
    let counted = removing.sweep_at(107).await;

    let put_off = [unordered.put_off, uncounted.put_off];
    assert_eq!(put_off, [Some(PutOff::Unfollowed); 2]);
    assert_eq!((unordered.removed.events, uncounted.removed.events), (0, 0));
    assert_eq!((counted.put_off, counted.removed.events), (None, 1));
}

async fn a_shorter_time_waits_for_a_second_person_and_a_longer_one_does_not(database: &TestDatabase) {
    let mut removing = Removing::on(database).await;
    let keep = |days| {
        Periods::new([Keeping {
            class: Class::Access,
            days,
        }])
    };
    removing.store(&[access("a", day(0))], day(0)).await;

    removing.retention.periods = keep(120);
    assert_eq!(removing.sweep_at(119).await.days, 120);
    removing.retention.periods = keep(30);
    let waiting = removing.sweep_at(120).await;
    assert_eq!((waiting.days, waiting.removed.events), (120, 0));

    let api = TestApi::on(database.log().await);
    let changes = api.get("/v1/retention").await.body["changes"].clone();
    assert_eq!(
        (&changes[0]["from_days"], &changes[0]["to_days"]),
        (&120.into(), &30.into())
    );
    assert_eq!(changes[0]["requested_by"], "settings");
    assert_eq!(changes.as_array().unwrap().len(), 1);
    let confirm = format!(
        "/v1/retention/changes/{}/confirm",
        changes[0]["id"].as_str().unwrap()
    );
    assert_eq!(
        post(&api, "usr_1", &confirm, json!({})).await.status,
        StatusCode::OK
    );

    let removed = removing.sweep_at(121).await;
    assert_eq!((removed.days, removed.removed.events), (30, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_are_made_ahead_and_a_search_by_id_looks_into_one() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let removing = Removing::on(&database).await;
    removing.store(&[access("a", day(3))], day(3)).await;

    let ahead = database
        .number(&format!(
            "SELECT COUNT(*) FROM event_partition WHERE class = 'access' AND until > {}",
            day(14).as_micros()
        ))
        .await;
    assert_eq!(ahead, 1);
    let stray = database.number("SELECT COUNT(*) FROM event_access_default").await;
    assert_eq!(stray, 0);
    database.remove().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_in_use_is_left_for_the_next_run_and_the_others_are_not() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let removing = Removing::on(&database).await;
    removing
        .store(&[access("a", day(0)), login(day(0))], day(0))
        .await;
    removing.clock.advance(Duration::from_hours(24 * 450));
    // What drops a range has to wait for the first, and what makes one for the second.
    for (table, ranges) in [("ONLY event_access", true), ("event_access_default", false)] {
        let mut reading = database.connection().await;
        let lock = format!("BEGIN; LOCK TABLE {table} IN ACCESS SHARE MODE");
        sqlx::raw_sql(AssertSqlSafe(lock))
            .execute(&mut reading)
            .await
            .unwrap();
        let made = "SELECT COUNT(*) FROM event_partition WHERE class = 'access'";
        let before = database.number(made).await;

        let reports = removing.sweep().await;

        let told = reports.iter().map(|report| (report.class, report.put_off));
        let told: Vec<_> = told.filter(|(_, put_off)| put_off.is_some()).collect();
        assert_eq!(told, [(Class::Access, Some(PutOff::InUse))], "{table}");
        assert_eq!(database.number(made).await > before, ranges, "{table}");
        assert_eq!(removing.found("class=access").await.len(), 1, "{table}");
        assert!(removing.found("class=auth").await.is_empty(), "{table}");
        reading.close().await.unwrap();
        // So that there are ranges to make again.
        removing.clock.advance(Duration::from_hours(24 * 30));
    }

    assert_eq!(removing.sweep_at(511).await.put_off, None);
    assert!(removing.found("class=access").await.is_empty());
    drop(removing);
    database.remove().await;
}

async fn what_was_removed_is_recorded_although_the_run_fails_later(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    removing.store(&[access("a", day(0))], day(0)).await;
    removing.clock.advance(Duration::from_hours(24 * 105));
    // The alerts come last.
    database
        .change("ALTER TABLE alert RENAME TO alert_elsewhere")
        .await;

    let ended = sweep(&removing.retention, &CancellationToken::new()).await;

    let Unfinished { reports, .. } = ended.unwrap_err();
    let removed: Vec<_> = reports.iter().map(|report| report.removed.events).collect();
    assert_eq!(removed, [1, 0, 0, 0, 0]);
    let run = removing.run_that_was(Outcome::Error).await;
    assert_eq!(run.facts.reason.as_deref(), Some("unfinished"));
    assert_eq!(run.facts.detail["classes"], json!(reports));
    assert_eq!(run.facts.detail["classes"][0]["events"], 1);
}

/// An alert that was raised at a moment, a message about it, and what became of its order.
async fn raised(database: &TestDatabase, number: u8, at: UtcMicros, response: &str) {
    let bytes = |text: String| {
        if database.is_server() {
            format!("'\\x{text}'::bytea")
        } else {
            format!("x'{text}'")
        }
    };
    let id = |kind: u8| {
        let text = format!("{kind:02x}{number:030x}");
        if database.is_server() {
            format!("'{text}'::uuid")
        } else {
            format!("x'{text}'")
        }
    };
    let (fingerprint, at) = (bytes(format!("{number:064x}")), at.as_micros());
    for sql in [
        format!(
            "INSERT INTO alert (fingerprint, rule_id, rule_version, title, severity, group_fields, group_values, window_start, \
             fired_at, since, until, value, evidence, raised_at, updated_at, shadow, told) \
             VALUES ({fingerprint}, 'r', '1', 't', 'high', '[]', '[]', {at}, {at}, {at}, {at}, 1, '[]', {at}, {at}, FALSE, TRUE)"
        ),
        format!(
            "INSERT INTO notification (id, fingerprint, receiver, kind, made_at, tried_since, next_at) \
             VALUES ({}, {fingerprint}, 'ops', 'raised', {at}, {at}, {at})",
            id(1)
        ),
        format!(
            "INSERT INTO response (id, fingerprint, action, value, reason, author, by_rule, ordered_at, state, next_at, expires_at) \
             VALUES ({}, {fingerprint}, 'block_address', '192.0.2.1', 'r', 'r', TRUE, {at}, '{response}', {at}, {at})",
            id(2)
        ),
    ] {
        database.change(&sql).await;
    }
}

async fn alerts_go_with_their_messages_and_stay_while_there_is_a_hold(database: &TestDatabase) {
    let removing = Removing::on(database).await;
    raised(database, 1, day(0), "expired").await;
    raised(database, 2, day(0), "in_force").await;
    raised(database, 3, day(10), "expired").await;
    let api = TestApi::on(removing.log.clone());
    let hold = json!({"name": "case 7", "q": "user:bob", "reason": "asked for by counsel"});
    post(&api, "usr_1", "/v1/holds", hold).await;
    removing.clock.advance(Duration::from_hours(24 * 1_096));
    let told = |reports: Vec<Report>| {
        let mut reports = reports.into_iter();
        let report = reports.find(|report| report.class == Class::Alert).unwrap();
        (report.removed.alerts, report.removed.messages)
    };

    assert_eq!(told(removing.sweep().await), (0, 0));
    database.change("UPDATE hold SET released_at = 1").await;
    let periods = &removing.retention.periods;
    let previewed = preview(removing.log.database(), periods, removing.clock.now()).await;

    assert_eq!(told(previewed.unwrap()), (1, 1));
    assert_eq!(told(removing.sweep().await), (1, 1));
    // One is still in effect, and the other is not old enough.
    for table in ["alert", "notification", "response"] {
        assert_eq!(
            database.number(&format!("SELECT COUNT(*) FROM {table}")).await,
            2,
            "{table}"
        );
    }
}
