//! Rules that are tried on the past over HTTP.

use audit_collector::detection::rule::RuleSet;
use axum::http::StatusCode;
use serde_json::{Value, json};

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, failure, until_read};
use crate::harness::events::at;

on_both_databases!(
    what_a_rule_would_have_found_is_counted_over_the_period,
    a_backtest_that_cannot_be_is_refused,
    many_events_with_a_suspect_clock_are_judged_by_when_they_were_stored,
);

const DAY: i64 = 86_400;
const PATH: &str = "/v1/rules/brute-force-account/backtest";

async fn backtest(api: &TestApi, scope: &str, path: &str, (from, to): (i64, i64)) -> Answer {
    let period = json!({"from": at(from).to_string(), "to": at(to).to_string()});
    api.act(("POST", path), scope, None, &period).await
}

async fn what_a_rule_would_have_found_is_counted_over_the_period(database: &TestDatabase) {
    let log = database.log().await;
    let mut api = TestApi::on(log.clone());
    for (user, begin) in [("alice", 0), ("bob", 7_200)] {
        let batch: Vec<_> = (begin..begin + 10)
            .map(|second| failure(second, user, "192.0.2.1"))
            .collect();
        log.append(&batch, &[], at(begin + 10)).await.unwrap();
    }
    // Only what has a place in the log's order is judged. The collector that gives it looks for nothing.
    let collector = Collector::start_by(database, RuleSet::default(), api.clock.clone()).await;
    until_read(database, 20).await;

    let all = backtest(&api, "rules:write", PATH, (-3_600, 86_400)).await;

    assert_eq!(all.status, StatusCode::OK, "{}", all.body);
    let body = &all.body;
    assert_eq!(
        (&body["alerts"], &body["events"], &body["complete"]),
        (&json!(2), &json!(20), &json!(true))
    );
    let counts: Vec<u64> = body["counts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_u64)
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 2);
    assert_eq!(counts.len(), body["starts"].as_array().unwrap().len());
    // The latest first, in the stretch that its time is in.
    let bob = &body["findings"][0];
    assert_eq!(bob["group"]["actor.username"], "bob");
    let starts: Vec<&str> = body["starts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let fired = bob["at"].as_str().unwrap();
    let stretch = starts.iter().rposition(|start| *start <= fired).unwrap();
    assert_eq!(counts[stretch], 1, "{body}");
    assert_eq!(database.number("SELECT COUNT(*) FROM alert").await, 0);
    let read = api.recorded_read().await.facts.detail;
    assert_eq!(
        (&read["rows"], &read["filter"]["backtest"]),
        (&json!(20), &json!("brute-force-account"))
    );
    let part = backtest(&api, "rules:write", PATH, (3_600, 86_400)).await;
    assert_eq!(part.body["alerts"], 1);
    collector.stop().await;
}

async fn many_events_with_a_suspect_clock_are_judged_by_when_they_were_stored(database: &TestDatabase) {
    let log = database.log().await;
    let api = TestApi::on(log.clone());
    // More than are read at a time, of clocks that are a day ahead, stored a minute apart, and among them such as are right.
    for minute in 0..25 {
        let mut batch: Vec<_> = (0..100)
            .map(|number| {
                failure(
                    DAY + minute * 100 + number,
                    &format!("user{minute}-{number}"),
                    "192.0.2.1",
                )
            })
            .collect();
        batch.extend(
            (0..10).map(|second| failure(minute * 60 + second, &format!("known{minute}"), "192.0.2.2")),
        );
        log.append(&batch, &[], at(minute * 60 + 30)).await.unwrap();
    }
    let collector = Collector::start_by(database, RuleSet::default(), api.clock.clone()).await;
    until_read(database, 2_750).await;

    let first = backtest(&api, "rules:write", PATH, (0, 600)).await;
    let all = backtest(&api, "rules:write", PATH, (0, 2_000)).await;
    let day_after = backtest(&api, "rules:write", PATH, (DAY, DAY + 5_000)).await;

    assert_eq!(
        (&first.body["events"], &first.body["alerts"]),
        (&json!(1_100), &json!(10)),
        "{}",
        first.body
    );
    assert_eq!(
        (&all.body["events"], &all.body["alerts"]),
        (&json!(2_750), &json!(25))
    );
    assert_eq!(day_after.body["events"], 0);
    collector.stop().await;
}

async fn a_backtest_that_cannot_be_is_refused(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);

    for (scope, path, period, status, code) in [
        (
            "audit:read",
            PATH,
            (0, 1),
            StatusCode::FORBIDDEN,
            "insufficient_scope",
        ),
        (
            "rules:write",
            PATH,
            (1, 1),
            StatusCode::BAD_REQUEST,
            "parameter_invalid",
        ),
        (
            "rules:write",
            "/v1/rules/no-such/backtest",
            (0, 1),
            StatusCode::NOT_FOUND,
            "rule_not_found",
        ),
    ] {
        let answer = backtest(&api, scope, path, period).await;

        assert_eq!(
            (answer.status, answer.body["code"].as_str()),
            (status, Some(code)),
            "{path}"
        );
    }
}
