//! Too many failures: who is refused, who is not, and what is left behind.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, PASSWORD, json_request};

/// What one address may try with one name at once, and what all addresses may.
const PAIR_FREE: usize = 5;
const ACCOUNT_FREE: usize = 10;

async fn guess(harness: &Harness, peer: [u8; 4], username: &str) -> Answer {
    let body = json!({"username": username, "password": "a wrong password, long"});
    harness.send_from(peer, json_request("/v1/login", &body)).await
}

async fn sign_in(harness: &Harness, peer: [u8; 4], more: &Value) -> Answer {
    let mut body = json!({"username": "root", "password": PASSWORD});
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    harness.send_from(peer, json_request("/v1/login", &body)).await
}

/// Guesses from many networks until the account refuses.
async fn exhaust(harness: &Harness, username: &str) {
    for number in 0..ACCOUNT_FREE {
        let peer = [198, 51, u8::try_from(number).unwrap(), 1];
        let answer = guess(harness, peer, username).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
    }
}

fn counted(events: &[Value]) -> u64 {
    events
        .iter()
        .map(|event| event["detail"]["count"].as_u64().unwrap_or(1))
        .sum()
}

async fn an_unknown_name_is_refused_after_as_many_tries_and_for_as_long_as_a_known_one(
    harness: Arc<Harness>,
) {
    harness.set_up().await;
    let mut told = Vec::new();
    for (username, network) in [("root", 7), ("nobody", 8)] {
        let peer = [192, 0, 2, network];
        let mut answers = Vec::new();
        for _ in 0..=PAIR_FREE {
            let answer = guess(&harness, peer, username).await;
            let mut body = answer.json();
            body.as_object_mut().unwrap().remove("request_id");
            answers.push((answer.status, answer.header("retry-after").to_owned(), body));
        }
        told.push(answers);
    }

    assert_eq!(told[0], told[1]);
    let (status, retry_after, body) = told[0].last().unwrap();
    assert_eq!(*status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(retry_after, "15");
    assert_eq!(body["code"], "too_many_attempts");
    let verified = told[0]
        .iter()
        .filter(|(status, _, _)| *status == StatusCode::UNAUTHORIZED);
    assert_eq!(verified.count(), PAIR_FREE);
}

async fn whoever_waits_as_long_as_told_may_try_again_and_a_success_forgets_the_failures(
    harness: Arc<Harness>,
) {
    harness.set_up().await;
    let peer = [192, 0, 2, 1];
    for _ in 0..PAIR_FREE {
        guess(&harness, peer, "root").await;
    }
    let refused = sign_in(&harness, peer, &json!({})).await;
    assert_eq!(refused.code(), "too_many_attempts");
    let wait = refused.header("retry-after").parse().unwrap();

    harness.wait(Duration::from_secs(wait));
    let admitted = sign_in(&harness, peer, &json!({})).await;

    assert_eq!(admitted.status, StatusCode::OK, "{}", admitted.text);
    for _ in 0..PAIR_FREE {
        let answer = guess(&harness, peer, "root").await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
}

async fn guesses_at_once_are_not_free(harness: Arc<Harness>) {
    harness.set_up().await;
    let guesses = (0..3 * PAIR_FREE).map(|_| {
        let harness = Arc::clone(&harness);
        tokio::spawn(async move { guess(&harness, [192, 0, 2, 1], "root").await.status })
    });

    let mut verified = 0;
    for guess in guesses.collect::<Vec<_>>() {
        verified += usize::from(guess.await.unwrap() == StatusCode::UNAUTHORIZED);
    }

    assert_eq!(verified, PAIR_FREE);
}

async fn a_known_device_signs_in_while_others_lock_the_account(harness: Arc<Harness>) {
    harness.set_up().await;
    let home = [203, 0, 113, 77];
    let first = sign_in(&harness, home, &json!({"remember_device": true})).await;
    let device = first.text_of("device_token");
    exhaust(&harness, "root").await;

    let stranger = sign_in(&harness, [192, 0, 2, 1], &json!({})).await;
    let made_up = sign_in(&harness, home, &json!({"device_token": "dev_made-up"})).await;
    let known = sign_in(
        &harness,
        home,
        &json!({"device_token": device, "remember_device": true}),
    )
    .await;

    assert_eq!(stranger.code(), "too_many_attempts");
    assert_eq!(made_up.code(), "too_many_attempts");
    assert_eq!(known.status, StatusCode::OK, "{}", known.text);
    assert_eq!(known.json().get("device_token"), None);
    let kept = harness.texts("SELECT user_id FROM known_devices").await;
    assert_eq!(kept.len(), 1);
}

async fn a_known_device_is_no_way_around_the_bound_nor_to_another_account(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "mallory", &[]).await;
    let peer = [192, 0, 2, 1];
    let body = json!({"username": "mallory", "password": PASSWORD, "remember_device": true});
    let own = harness.send_from(peer, json_request("/v1/login", &body)).await;
    let device = own.text_of("device_token");

    let mut tries = Vec::new();
    for (username, count) in [("mallory", ACCOUNT_FREE), ("root", PAIR_FREE)] {
        let body = json!({"username": username, "password": "wrong", "device_token": device});
        for _ in 0..=count {
            tries.push(
                harness
                    .send_from(peer, json_request("/v1/login", &body))
                    .await
                    .status,
            );
        }
        assert_eq!(tries.pop(), Some(StatusCode::TOO_MANY_REQUESTS), "{username}");
    }

    assert!(tries.iter().all(|status| *status == StatusCode::UNAUTHORIZED));
}

async fn at_most_ten_devices_of_a_user_are_known_for_ninety_days(harness: Arc<Harness>) {
    harness.set_up().await;
    for _ in 0..12 {
        harness.wait(Duration::from_secs(1));
        sign_in(&harness, [192, 0, 2, 1], &json!({"remember_device": true})).await;
    }
    assert_eq!(harness.texts("SELECT user_id FROM known_devices").await.len(), 10);

    harness.wait(Duration::from_hours(90 * 24));
    harness.service.upkeep().await;

    assert_eq!(harness.texts("SELECT user_id FROM known_devices").await.len(), 0);
}

async fn a_success_on_an_address_does_not_forgive_what_was_tried_there_with_other_names(
    harness: Arc<Harness>,
) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "mallory", &[]).await;
    let peer = [192, 0, 2, 1];
    let own = json!({"username": "mallory", "password": PASSWORD});
    let mut statuses = Vec::new();
    for _ in 0..=PAIR_FREE {
        statuses.push(guess(&harness, peer, "root").await.status);
        let signed_in = harness.send_from(peer, json_request("/v1/login", &own)).await;
        assert_eq!(signed_in.status, StatusCode::OK);
    }

    assert_eq!(statuses.pop(), Some(StatusCode::TOO_MANY_REQUESTS));
    assert!(statuses.iter().all(|status| *status == StatusCode::UNAUTHORIZED));
    let failures = "SELECT failures FROM throttle_buckets WHERE kind = 'host' AND subject = '192.0.2.1/32'";
    assert_eq!(harness.number(failures).await, 5);
}

async fn an_address_that_tries_many_names_is_refused_for_all_of_them(harness: Arc<Harness>) {
    harness.set_up().await;
    let mut verified = 0;
    for number in 0..60 {
        let answer = guess(&harness, [192, 0, 2, 1], &format!("name-{number}")).await;
        verified += usize::from(answer.status == StatusCode::UNAUTHORIZED);
    }

    assert_eq!(verified, 50);
    let elsewhere = sign_in(&harness, [198, 51, 100, 1], &json!({})).await;
    assert_eq!(elsewhere.status, StatusCode::OK);
    let events = harness.events_of("excess_rate_limit_exceeded").await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["reason"], "host");
    assert_eq!(events[0]["detail"]["subject"], "192.0.2.1/32");
}

async fn what_is_refused_is_counted_and_writes_no_row_each(harness: Arc<Harness>) {
    harness.set_up().await;
    let rows = "SELECT COUNT(*) FROM throttle_buckets";
    for _ in 0..PAIR_FREE {
        guess(&harness, [192, 0, 2, 1], "root").await;
    }
    let (buckets, events) = (harness.number(rows).await, harness.events().await.len());

    for _ in 0..30 {
        let refused = guess(&harness, [192, 0, 2, 1], "root").await;
        assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS);
    }

    assert_eq!(harness.number(rows).await, buckets);
    assert_eq!(harness.events().await.len(), events);
    harness.service.upkeep().await;
    let told = harness.events_of("excess_rate_limit_exceeded").await;
    assert_eq!(counted(&told), 30);
    assert_eq!(told[0]["detail"]["network"], "192.0.2.0/24");
    assert_eq!(told[0]["reason"], "pair");
}

async fn a_flood_of_failures_is_few_events_whose_counts_are_all_of_them(harness: Arc<Harness>) {
    harness.set_up().await;
    for number in 0..90 {
        if number == 70 {
            harness.wait(Duration::from_secs(61));
        }
        let answer = harness.refresh("no refresh token of anybody").await;
        assert_eq!(answer.json()["error"], "invalid_grant");
    }
    let failed = harness.events_of("authn_token_refresh_fail").await;
    assert_eq!((failed.len(), counted(&failed)), (20 + 1 + 20, 90));

    for _ in 0..10 {
        harness.refresh("no refresh token of anybody").await;
    }
    harness.wait(Duration::from_secs(61));
    harness.service.upkeep().await;
    harness.service.upkeep().await;

    let failed = harness.events_of("authn_token_refresh_fail").await;
    assert_eq!((failed.len(), counted(&failed)), (42, 100));
    let last = failed.last().unwrap();
    assert_eq!(last["reason"], "refresh_token_invalid");
    assert_eq!(last["detail"]["last_network"], "203.0.113.0/24");
}

async fn a_lockout_is_an_event_and_an_operator_sees_and_clears_it(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    exhaust(&harness, "root").await;
    let locked = harness.events_of("authn_login_lock").await;
    assert_eq!(locked.len(), 1);
    assert_eq!(locked[0]["reason"], "account");
    assert_eq!(locked[0]["actor"]["username"], "root");

    let shown = harness.get_as("/v1/admin/lockouts", &admin).await.json();
    let [lockout] = shown["lockouts"].as_array().unwrap().as_slice() else {
        panic!("{shown}")
    };
    assert_eq!(lockout["kind"], "account");
    assert_eq!(lockout["failures"], 10);
    assert_eq!(locked[0]["detail"]["lockout_id"], lockout["id"]);
    let path = format!("/v1/admin/lockouts/{}", lockout["id"].as_str().unwrap());
    let clear = async |bearer: &str| {
        let request = http::Request::delete(&path).header("authorization", format!("Bearer {bearer}"));
        harness
            .send(request.body(axum::body::Body::empty()).unwrap())
            .await
    };
    assert_eq!(clear(&admin).await.status, StatusCode::NO_CONTENT);
    let event = harness.last_event().await;
    assert_eq!(event["action"], "lockout_cleared");
    assert_eq!(event["detail"]["before"]["failures"], 10);
    assert_eq!(event["detail"]["after"]["failures"], 0);
    assert_eq!(clear(&admin).await.status, StatusCode::NOT_FOUND);
    let signed_in = sign_in(&harness, [192, 0, 2, 1], &json!({})).await;
    assert_eq!(signed_in.status, StatusCode::OK);
}

async fn nobody_but_an_administrator_sees_lockouts(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");

    let answer = harness.get_as("/v1/admin/lockouts", &alice).await;

    assert_eq!(answer.status, StatusCode::FORBIDDEN);
}

async fn what_was_typed_as_a_name_is_not_readable_among_the_buckets(harness: Arc<Harness>) {
    guess(&harness, [192, 0, 2, 1], "hunter2hunter2").await;

    let ids = harness.texts("SELECT id FROM throttle_buckets").await;
    let subjects = harness
        .texts("SELECT COALESCE(subject, '') FROM throttle_buckets")
        .await;

    assert_eq!(ids.len(), 4);
    assert!(ids.iter().chain(&subjects).all(|text| !text.contains("hunter2")));
}

async fn after_a_hundred_failures_in_a_row_there_is_no_more_until_it_is_cleared(harness: Arc<Harness>) {
    harness.set_up().await;
    guess(&harness, [192, 0, 2, 1], "root").await;
    harness
        .sql("UPDATE throttle_buckets SET failures = 99 WHERE kind = 'account'")
        .await;
    guess(&harness, [192, 0, 2, 1], "root").await;

    harness.wait(Duration::from_hours(29 * 24));
    harness.service.upkeep().await;
    let refused = sign_in(&harness, [192, 0, 2, 1], &json!({})).await;

    assert_eq!(refused.code(), "too_many_attempts");
}

async fn buckets_that_are_over_are_deleted(harness: Arc<Harness>) {
    guess(&harness, [192, 0, 2, 1], "nobody").await;
    harness.wait(Duration::from_hours(25));
    harness.service.upkeep().await;
    let kinds = harness.texts("SELECT kind FROM throttle_buckets").await;
    assert_eq!(kinds, ["account"]);

    harness.wait(Duration::from_hours(30 * 24));
    harness.service.upkeep().await;

    assert_eq!(harness.number("SELECT COUNT(*) FROM throttle_buckets").await, 0);
}

on_both_databases!(
    an_unknown_name_is_refused_after_as_many_tries_and_for_as_long_as_a_known_one,
    whoever_waits_as_long_as_told_may_try_again_and_a_success_forgets_the_failures,
    guesses_at_once_are_not_free,
    a_known_device_signs_in_while_others_lock_the_account,
    a_known_device_is_no_way_around_the_bound_nor_to_another_account,
    at_most_ten_devices_of_a_user_are_known_for_ninety_days,
    a_success_on_an_address_does_not_forgive_what_was_tried_there_with_other_names,
    an_address_that_tries_many_names_is_refused_for_all_of_them,
    what_is_refused_is_counted_and_writes_no_row_each,
    a_flood_of_failures_is_few_events_whose_counts_are_all_of_them,
    a_lockout_is_an_event_and_an_operator_sees_and_clears_it,
    nobody_but_an_administrator_sees_lockouts,
    what_was_typed_as_a_name_is_not_readable_among_the_buckets,
    after_a_hundred_failures_in_a_row_there_is_no_more_until_it_is_cleared,
    buckets_that_are_over_are_deleted,
);
