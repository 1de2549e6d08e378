//! Detection on the stored log: the same alerts whoever finds them, each told once.

use std::collections::BTreeSet;

use audit_collector::detection::engine::Fingerprint;
use audit_collector::detection::past::{Span, replay};
use audit_collector::detection::rule::{RuleSet, RuleSource};
use audit_collector::detection::standing;
use audit_collector::event_log::{Arrival, EventLog};
use shared::clock::UtcMicros;
use shared::event::TokenFacts;
use tempfile::TempDir;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, failure, sign_in, sign_in_of, until_read};
use crate::harness::events::{arrival, at, event, request_facts};
use crate::harness::eventually;

on_both_databases!(
    collectors_find_the_same_alerts_however_many_they_are,
    an_alert_is_told_once_and_read_with_its_rule,
    a_successor_goes_on_where_the_leader_stopped,
    each_event_is_remembered_once_whoever_has_stored_what_of_it,
    what_comes_long_after_is_judged_as_if_it_had_not,
    what_is_silenced_or_only_tried_is_kept_and_told_to_nobody,
    what_may_be_missing_because_the_log_begins_is_missed_by_nobody,
);

/// Attacks on twelve users among the mistakes of others, in the order of time.
fn attacks() -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for second in 0..1_200 {
        if second % 7 == 0 {
            arrivals.push(failure(second, &format!("honest{}", second % 50), "192.0.2.1"));
        }
        if second % 2 == 0 {
            let user = (second / 100) % 12;
            arrivals.push(failure(
                second,
                &format!("victim{user}"),
                &format!("198.51.100.{user}"),
            ));
        }
    }
    arrivals
}

async fn found(log: &EventLog) -> BTreeSet<Fingerprint> {
    standing(log.database()).await.unwrap().into_iter().collect()
}

async fn replayed(log: &EventLog) -> BTreeSet<Fingerprint> {
    let span = Span {
        from: at(-3_600),
        until: at(86_400),
    };
    let ledger = replay(log, &built_in(), span, at(86_400)).await.unwrap();
    ledger.into_keys().collect()
}

/// Stores events through as many collectors, in small batches at the same time, and returns the alerts of all.
async fn found_by(database: &TestDatabase, count: usize) -> BTreeSet<Fingerprint> {
    let mut collectors = Vec::new();
    for _ in 0..count {
        collectors.push(Collector::start(database, built_in()).await);
    }
    let events = attacks();
    let storing = collectors.iter().enumerate().map(|(index, collector)| {
        let own: Vec<Arrival> = events.iter().skip(index).step_by(count).cloned().collect();
        let log = collector.log.clone();
        tokio::spawn(async move {
            for batch in own.chunks(10 + index) {
                let newest = batch.iter().map(|arrival| arrival.event.time).max().unwrap();
                log.append(batch, &[], newest).await.unwrap();
            }
        })
    });
    for stored in storing.collect::<Vec<_>>() {
        stored.await.unwrap();
    }
    until_read(database, i64::try_from(events.len()).unwrap()).await;
    let log = collectors[0].log.clone();
    let alerts = found(&log).await;
    assert_eq!(alerts, replayed(&log).await, "live and replayed by {count}");
    for collector in collectors {
        collector.stop().await;
    }
    alerts
}

async fn collectors_find_the_same_alerts_however_many_they_are(database: &TestDatabase) {
    let by_one = found_by(database, 1).await;

    // Twelve accounts are tried in one hour.
    assert!(by_one.len() >= 12, "{}", by_one.len());
    for count in [2, 4, 8] {
        let other = if database.is_server() {
            TestDatabase::postgres().await.unwrap()
        } else {
            TestDatabase::sqlite()
        };
        assert_eq!(found_by(&other, count).await, by_one, "by {count} collectors");
        if other.is_server() {
            other.remove().await;
        }
    }
}

async fn an_alert_is_told_once_and_read_with_its_rule(database: &TestDatabase) {
    let mut collector = Collector::start(database, built_in()).await;
    let batch: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();

    collector.log.append(&batch, &[], at(10)).await.unwrap();

    let told = collector.next_told().await.facts;
    assert_eq!(told.reason.as_deref(), Some("brute-force-account"));
    assert_eq!(told.detail["group"]["actor.username"], "alice");
    // More of the same is the same alert.
    let more: Vec<_> = (10..20)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&more, &[], at(20)).await.unwrap();
    until_read(database, 20).await;
    let api = TestApi::on(collector.log.clone());
    let listed = api.get("/v1/alerts?rule=brute-force-account").await.body;
    let [alert] = listed["alerts"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    assert_eq!(alert["value"], 20.0);
    assert_eq!(alert["status"], "open");
    assert_eq!(alert["evidence"].as_array().unwrap().len(), 10);
    let fingerprint = alert["fingerprint"].as_str().unwrap();
    let alone = api.get(&format!("/v1/alerts/{fingerprint}")).await.body;
    assert_eq!(alone["evidence"], alert["evidence"]);
    assert_eq!(
        (&alone["notes"], &alone["history"]),
        (&serde_json::json!([]), &serde_json::json!([]))
    );
    let rule = api.get("/v1/rules/brute-force-account").await.body;
    assert_eq!(rule["firings"]["alerts"], 1);
    assert!(rule["source"].as_str().unwrap().contains("event_count"));
    let untold = database.number("SELECT COUNT(*) FROM alert WHERE NOT told").await;
    assert_eq!(untold, 0);
    for (path, status, code) in [
        (
            "/v1/alerts/00000000000000000000000000000000",
            404,
            "alert_not_found",
        ),
        ("/v1/alerts/x", 400, "parameter_invalid"),
        ("/v1/alerts?state=open", 400, "parameter_invalid"),
        ("/v1/rules/none", 404, "rule_not_found"),
    ] {
        let answer = api.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (status, &code.into()),
            "{path}"
        );
    }
    collector.stop().await;
}

async fn a_successor_goes_on_where_the_leader_stopped(database: &TestDatabase) {
    let events: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    let (before, after) = events.split_at(6);
    let first = Collector::start(database, built_in()).await;
    first.log.append(before, &[], at(6)).await.unwrap();
    until_read(database, 6).await;
    first.stop().await;

    let second = Collector::start(database, built_in()).await;
    second.log.append(after, &[], at(10)).await.unwrap();
    until_read(database, 10).await;

    // What the first had read is counted by the second, which has read it back.
    let log = second.log.clone();
    assert_eq!(found(&log).await.len(), 1);
    second.stop().await;
}

async fn each_event_is_remembered_once_whoever_has_stored_what_of_it(database: &TestDatabase) {
    let three_months_later = 91 * 86_400;
    let until_kept = |events: i64| async move {
        eventually("the memories are stored", || async {
            let kept = database
                .number("SELECT memories_position FROM detection_state")
                .await;
            (kept == events).then_some(())
        })
        .await;
    };
    let first = Collector::start(database, built_in()).await;
    let twice = [sign_in(0, "192.0.2.1"), sign_in(1, "192.0.2.1")];
    first.log.append(&twice, &[], at(1)).await.unwrap();
    until_kept(2).await;
    let later = [sign_in(2, "192.0.2.1"), sign_in_of("bob", 2, "192.0.2.1")];
    first.log.append(&later, &[], at(2)).await.unwrap();
    until_read(database, 4).await;
    // It stores memories no sooner than some seconds later, and is gone by then.
    first.stop().await;

    let second = Collector::start(database, built_in()).await;
    let again = sign_in(three_months_later, "192.0.2.1");
    second
        .log
        .append(&[again], &[], at(three_months_later))
        .await
        .unwrap();
    until_read(database, 5).await;
    assert_eq!(found(&second.log).await.len(), 1);
    until_kept(5).await;
    second.stop().await;

    let memories =
        "SELECT memory FROM detection_memory WHERE rule_id = 'dormant-account' ORDER BY group_values";
    let remembered: Vec<(String,)> = database.rows(memories).await;
    let day = at(0).as_seconds() / 86_400;
    let of = |days: String| (format!(r#"{{"first":{day},"values":{{"":{{{days}}}}}}}"#),);
    let expected = [format!(r#""{day}":3,"{}":1"#, day + 91), format!(r#""{day}":1"#)].map(of);
    assert_eq!(remembered, expected);
}

async fn what_comes_long_after_is_judged_as_if_it_had_not(database: &TestDatabase) {
    let events: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    let (late, early) = events.split_at(5);
    let collector = Collector::start(database, built_in()).await;
    collector.log.append(early, &[], at(10)).await.unwrap();
    // An hour passes, which the engine has no reason to remember.
    let later = failure(3_600, "bob", "192.0.2.1");
    collector.log.append(&[later], &[], at(3_600)).await.unwrap();
    until_read(database, 6).await;
    assert!(found(&collector.log).await.is_empty());

    collector.log.append(late, &[], at(3_601)).await.unwrap();

    eventually("the late events were judged", || async {
        (found(&collector.log).await.len() == 1).then_some(())
    })
    .await;
    collector.stop().await;
}

async fn what_may_be_missing_because_the_log_begins_is_missed_by_nobody(database: &TestDatabase) {
    let used = |second: i64, token: &str| {
        let mut facts = request_facts();
        facts.actor.jti = Some(token.into());
        facts.token = Some(TokenFacts {
            iss: Some("http://gatelog.test".into()),
            ..TokenFacts::default()
        });
        arrival(event(at(second), facts))
    };
    let first = Collector::start(database, built_in()).await;
    first.until_leading().await;
    // The rule looks back an hour, and a part of that.
    for (second, token) in [(0, "issued-before"), (3_500, "perhaps"), (3_700, "ghost")] {
        first
            .log
            .append(&[used(second, token)], &[], at(second))
            .await
            .unwrap();
    }
    let later = failure(3_800, "bob", "192.0.2.1");
    first.log.append(&[later], &[], at(3_800)).await.unwrap();
    until_read(database, 4).await;

    let live = found(&first.log).await;
    assert_eq!(live.len(), 1);
    assert_eq!(live, replayed(&first.log).await);
    first.stop().await;
    let second = Collector::start(database, built_in()).await;
    second
        .log
        .append(&[used(3_801, "spirit")], &[], at(3_801))
        .await
        .unwrap();
    let later = failure(3_900, "bob", "192.0.2.1");
    second.log.append(&[later], &[], at(3_900)).await.unwrap();
    until_read(database, 6).await;
    let live = found(&second.log).await;
    assert_eq!(live.len(), 2);
    assert_eq!(live, replayed(&second.log).await);
    second.stop().await;
}

async fn what_is_silenced_or_only_tried_is_kept_and_told_to_nobody(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "suppressions.yaml",
        "- {value: alice, reason: she is testing, until: 2099-01-01T00:00:00Z}\n",
    );
    let brute_force = built_in().find("brute-force-account").unwrap().source.clone();
    let tried = brute_force.replace("id: brute-force-account", "id: tried");
    file(
        "tried.yaml",
        &tried.replace("severity: medium", "severity: medium\nstatus: shadow"),
    );
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: "http://gatelog.test".into(),
        ..RuleSource::default()
    };
    let mut collector = Collector::start(database, source.load().unwrap()).await;

    for user in ["alice", "bob"] {
        let batch: Vec<_> = (0..10).map(|second| failure(second, user, "192.0.2.1")).collect();
        collector.log.append(&batch, &[], at(10)).await.unwrap();
    }

    let told = collector.next_told().await.facts.detail;
    assert_eq!(told["group"]["actor.username"], "bob");
    assert_eq!(told["rule"], "brute-force-account");
    until_read(database, 20).await;
    let api = TestApi::on(collector.log.clone());
    let list = api.get("/v1/alerts").await.body;
    let listed = list["alerts"].as_array().unwrap().iter();
    assert_eq!(
        listed
            .filter(|alert| alert["rule"] == "brute-force-account")
            .count(),
        1
    );
    let all = api.get("/v1/alerts?all=true").await.body;
    let reasons: Vec<_> = all["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|alert| alert["suppressed"].as_str())
        .collect();
    assert!(reasons.contains(&"she is testing"), "{all}");
    // Other rules take over without a restart.
    collector.rules.send_replace(RuleSet::default());
    collector
        .log
        .append(
            &[failure(11, "carol", "192.0.2.1")],
            &[],
            UtcMicros::from_seconds(1),
        )
        .await
        .unwrap();
    until_read(database, 21).await;
    collector.stop().await;
}
