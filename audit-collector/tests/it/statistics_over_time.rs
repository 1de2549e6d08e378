//! Series, tops, ratios, percentiles, heat maps, new values and completions, on both databases.

use audit_collector::event_log::Arrival;
use axum::http::StatusCode;
use serde_json::{Value, json};
use shared::event::Outcome;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts};

on_both_databases!(
    a_series_counts_every_event_in_its_stretch_and_the_rest_in_one_line,
    the_most_frequent_values_come_with_what_is_not_shown,
    a_ratio_is_the_share_that_meets_the_second_filter,
    percentiles_are_the_nearest_ranks,
    a_heat_map_has_the_hours_of_its_reader,
    new_values_are_those_that_were_not_seen_before,
    facets_and_completions_help_to_write_a_filter,
    a_question_that_is_not_understood_names_the_parameter,
);

/// A request of `user` from `ip`, so many seconds after the beginning, that took so many milliseconds.
fn request(user: Option<&str>, ip: &str, second: i64, millis: u64) -> Arrival {
    let mut facts = request_facts();
    facts.actor.username = user.map(str::to_owned);
    facts.actor.sub = None;
    facts.client.as_mut().unwrap().ip = Some(ip.into());
    facts.http.as_mut().unwrap().duration_us = Some(millis * 1_000);
    if second % 2 == 1 {
        facts.outcome = Outcome::Denied;
        facts.reason = Some("token_expired".into());
    }
    arrival(event(at(second), facts))
}

/// Ten of alice's in the first ten seconds, four of bob's in the next minute, two of carol's in the third, one of nobody.
async fn api(database: &TestDatabase) -> TestApi {
    let log = database.log().await;
    let alice = (0..10).map(|second| request(Some("alice"), "192.0.2.1", second, second.cast_unsigned() + 1));
    let bob = (60..64).map(|second| request(Some("bob"), "10.0.0.2", second, 100));
    let carol = (120..122).map(|second| request(Some("carol"), "10.0.0.3", second, 200));
    let nobody = request(None, "10.0.0.4", 121, 300);
    let batch: Vec<_> = alice.chain(bob).chain(carol).chain([nobody]).collect();
    log.append(&batch, &[], NOW).await.unwrap();
    TestApi::on(log)
}

async fn asked(api: &TestApi, path: &str) -> Value {
    let answer = api.get(&format!("/v1/stats/{path}")).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
    answer.body
}

const PERIOD: &str = "from=2026-01-15T00:00:00Z&to=2026-01-15T00:03:00Z";

async fn a_series_counts_every_event_in_its_stretch_and_the_rest_in_one_line(database: &TestDatabase) {
    let api = api(database).await;

    let all = asked(&api, &format!("series?bucket=1m&{PERIOD}")).await;
    let by_user = asked(&api, &format!("series?bucket=1m&by=user&limit=1&{PERIOD}")).await;
    let denied = asked(
        &api,
        &format!("series?bucket=1m&q=outcome:denied+user:*&{PERIOD}"),
    )
    .await;
    let chosen = asked(&api, &format!("series?{PERIOD}")).await;

    assert_eq!(all["bucket_seconds"], 60);
    assert_eq!(all["starts"][1], "2026-01-15T00:01:00.000000Z");
    assert_eq!(all["groups"], json!([{"total": 17, "events": [10, 4, 3]}]));
    assert_eq!(by_user["events"], 17);
    assert_eq!(
        by_user["groups"],
        json!([{"value": "alice", "total": 10, "events": [10, 0, 0]}])
    );
    assert_eq!(by_user["rest"], json!({"total": 6, "events": [0, 4, 2]}));
    assert_eq!(by_user["without"], json!({"total": 1, "events": [0, 0, 1]}));
    assert_eq!(denied["groups"][0]["events"], json!([5, 2, 1]));
    assert_eq!(chosen["bucket_seconds"], 5);
    assert_eq!(chosen["events"], 17);
}

async fn the_most_frequent_values_come_with_what_is_not_shown(database: &TestDatabase) {
    let api = api(database).await;

    let users = asked(&api, "top?by=user&limit=2").await;
    let addresses = asked(&api, "top?by=ip&q=ip:10.0.0.0/8").await;
    let nothing = asked(&api, "top?by=user&q=user:mallory").await;
    let distinct = asked(&api, "distinct?by=ip").await;

    assert_eq!(
        users,
        json!({"by": "user", "events": 17, "without": 1, "distinct": 3, "rest": 2, "exact": true,
            "values": [{"value": "alice", "events": 10}, {"value": "bob", "events": 4}]})
    );
    assert_eq!(addresses["values"][0], json!({"value": "10.0.0.2", "events": 4}));
    assert_eq!((&nothing["events"], &nothing["values"]), (&json!(0), &json!([])));
    assert_eq!(
        distinct,
        json!({"by": "ip", "events": 17, "distinct": 4, "exact": true})
    );
}

async fn a_ratio_is_the_share_that_meets_the_second_filter(database: &TestDatabase) {
    let api = api(database).await;

    let ratio = asked(
        &api,
        &format!("ratio?bucket=1m&of=outcome:denied&q=user:*&{PERIOD}"),
    )
    .await;

    assert_eq!(ratio["all"], json!({"events": 16, "matching": 8, "ratio": 0.5}));
    assert_eq!(
        ratio["stretches"][0],
        json!({"start": "2026-01-15T00:00:00.000000Z", "events": 10, "matching": 5, "ratio": 0.5})
    );
}

async fn percentiles_are_the_nearest_ranks(database: &TestDatabase) {
    let api = api(database).await;

    let alice = asked(&api, "percentiles?q=user:alice").await;
    let by_user = asked(&api, "percentiles?by=user&limit=2").await;

    let group = &alice["groups"][0];
    let told = ["events", "min", "p50", "p75", "p90", "p95", "p99", "p999", "max"]
        .map(|name| group[name].as_i64().unwrap());
    assert_eq!(
        told,
        [10, 1_000, 5_000, 8_000, 9_000, 10_000, 10_000, 10_000, 10_000]
    );
    let groups = by_user["groups"].as_array().unwrap();
    let values: Vec<_> = groups
        .iter()
        .map(|group| (&group["value"], &group["p99"]))
        .collect();
    assert_eq!(
        values,
        [
            (&json!("alice"), &json!(10_000)),
            (&json!("bob"), &json!(100_000))
        ]
    );
}

async fn a_heat_map_has_the_hours_of_its_reader(database: &TestDatabase) {
    let api = api(database).await;

    let utc = asked(&api, "heatmap").await;
    let west = asked(&api, "heatmap?offset=-300").await;

    // It is a Thursday.
    assert_eq!(utc["weekdays"][3][0], 17);
    assert_eq!(west["weekdays"][2][19], 17);
    assert_eq!(utc["events"], 17);
    assert_eq!(utc["weekdays"].as_array().unwrap().len(), 7);
}

async fn new_values_are_those_that_were_not_seen_before(database: &TestDatabase) {
    let api = api(database).await;

    let new = asked(&api, "new?by=user&since=2026-01-15T00:01:00Z").await;

    let values: Vec<_> = new["values"]
        .as_array()
        .unwrap()
        .iter()
        .map(|value| &value["value"])
        .collect();
    assert_eq!(values, ["carol", "bob"]);
    assert_eq!(new["values"][0]["first"], "2026-01-15T00:02:00.000000Z");
    assert_eq!(new["values"][0]["events"], 2);
}

async fn facets_and_completions_help_to_write_a_filter(database: &TestDatabase) {
    let api = api(database).await;

    let facets = asked(&api, "facets?fields=outcome,ip&limit=1").await;
    let users = asked(&api, "completions?field=user&prefix=al").await;
    let addresses = asked(&api, "completions?field=ip&prefix=10.&limit=2").await;
    let fields = asked(&api, "completions?prefix=st").await;
    let all = asked(&api, "completions").await;

    assert_eq!(
        facets["facets"],
        json!([
            {"field": "outcome", "values": [{"value": "denied", "events": 9}]},
            {"field": "ip", "values": [{"value": "192.0.2.1", "events": 10}]},
        ])
    );
    assert_eq!(users["completions"], json!([{"value": "alice", "events": 10}]));
    assert_eq!(addresses["completions"].as_array().unwrap().len(), 2);
    assert_eq!(fields["completions"][0]["value"], "status");
    assert_eq!(all["completions"].as_array().unwrap().len(), 26);
}

async fn a_question_that_is_not_understood_names_the_parameter(database: &TestDatabase) {
    let api = TestApi::on(database.log().await);

    for (path, parameter) in [
        ("top", "by"),
        ("top?by=nothing", "by"),
        ("top?by=time", "by"),
        ("top?by=user&limit=101", "limit"),
        ("series?bucket=1", "bucket"),
        ("series?bucket=1s", "bucket"),
        ("series?offset=900", "offset"),
        ("series?q=status:abc", "q"),
        ("ratio", "of"),
        ("ratio?of=status:abc", "of"),
        ("new?by=user", "since"),
        ("new?by=user&since=yesterday", "since"),
        ("facets?fields=outcome,nothing", "fields"),
        ("heatmap?bucket=1h", "bucket"),
    ] {
        let answer = api.get(&format!("/v1/stats/{path}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(answer.body["parameter"], parameter, "{path}: {}", answer.body);
    }
}
