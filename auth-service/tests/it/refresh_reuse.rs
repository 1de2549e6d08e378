//! Refresh tokens in the wrong hands, of the wrong time, or of no session at all.

use std::sync::Arc;
use std::time::Duration;

use http::{Request, StatusCode};
use serde_json::json;

use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness, token_request};

async fn refresh_as(harness: &Harness, token: &str, user_agent: &str) -> Answer {
    let mut request: Request<_> = token_request(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
    request
        .headers_mut()
        .insert("user-agent", user_agent.parse().unwrap());
    harness.send_from([198, 51, 100, 7], request).await
}

async fn a_replaced_token_ends_the_session_and_names_both_parties(harness: Arc<Harness>) {
    harness.set_up().await;
    let login = harness.log_in("root").await;
    let stolen = login.text_of("refresh_token");
    let live = refresh_as(&harness, &stolen, "victim").await;

    harness.wait(Duration::from_secs(11));
    let mut thief = token_request(&[("grant_type", "refresh_token"), ("refresh_token", &stolen)]);
    thief.headers_mut().insert("user-agent", "thief".parse().unwrap());
    let refused = harness.send(thief).await;

    assert_eq!(
        (refused.status, refused.json()["error"].as_str()),
        (StatusCode::BAD_REQUEST, Some("invalid_grant"))
    );
    let [reuse] = harness.events_of("authn_token_reuse").await.try_into().unwrap();
    assert_eq!(reuse["reason"], "replay");
    assert_eq!(reuse["outcome"], "denied");
    assert_eq!(reuse["client"]["ip"], "203.0.113.9");
    assert_eq!(reuse["client"]["user_agent"], "thief");
    assert_eq!(reuse["detail"]["rotated_ip"], "198.51.100.7");
    assert_eq!(reuse["detail"]["rotated_user_agent"], "victim");
    assert_eq!(harness.last_event().await["action"], "authn_token_revoked");

    // The refusal was an error, and all the same the session has ended, for the user as well.
    let sid = reuse["actor"]["sid"].clone();
    let page = harness.enforcement_since(0).await;
    assert_eq!(page["entries"][0]["kind"], "sid");
    assert_eq!(page["entries"][0]["value"], sid);
    let after = harness.refresh(&live.text_of("refresh_token")).await;
    assert_eq!(after.json()["error"], "invalid_grant");
    assert_eq!(harness.last_event().await["reason"], "session_ended");
    let access = live.text_of("access_token");
    assert_eq!(
        harness.post_as("/v1/logout", &access, &json!({})).await.code(),
        "token_revoked"
    );
}

async fn the_same_client_that_comes_too_late_seems_to_have_lost_the_answer(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    harness.refresh(&token).await;

    harness.wait(Duration::from_secs(11));
    harness.refresh(&token).await;

    assert_eq!(
        harness.events_of("authn_token_reuse").await[0]["reason"],
        "lost_response"
    );
}

async fn two_refreshes_in_the_same_second_are_told_apart(harness: Arc<Harness>) {
    harness.set_up().await;
    let first = harness.log_in("root").await.text_of("refresh_token");
    let second = harness.refresh(&first).await.text_of("refresh_token");
    harness.refresh(&second).await;

    let refused = harness.refresh(&first).await;

    assert_eq!(refused.json()["error"], "invalid_grant");
    assert_eq!(
        harness.events_of("authn_token_reuse").await[0]["reason"],
        "concurrent"
    );
}

async fn a_repeat_names_both_parties_and_is_no_alarm(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    let first = refresh_as(&harness, &token, "one tab").await;

    let repeat = harness.refresh(&token).await;

    assert_eq!(repeat.text_of("refresh_token"), first.text_of("refresh_token"));
    let event = harness.last_event().await;
    assert_eq!(
        (event["action"].as_str(), event["detail"]["refresh"].as_str()),
        (Some("authn_token_created"), Some("repeat"))
    );
    assert_eq!(event["client"]["ip"], "203.0.113.9");
    assert_eq!(event["detail"]["rotated_ip"], "198.51.100.7");
    assert_eq!(event["detail"]["rotated_user_agent"], "one tab");
    assert!(harness.events_of("authn_token_reuse").await.is_empty());
}

async fn a_token_that_is_over_can_be_sent_often_without_becoming_many_events(harness: Arc<Harness>) {
    harness.set_up().await;
    let login = harness.log_in("root").await;
    let access = login.text_of("access_token");
    harness.post_as("/v1/logout", &access, &json!({})).await;

    for _ in 0..30 {
        harness.refresh(&login.text_of("refresh_token")).await;
    }
    harness.wait(Duration::from_secs(61));
    harness.service.upkeep().await;

    let events = harness.events_of("authn_token_refresh_fail").await;
    assert!(events.len() < 30, "{}", events.len());
    let counted: i64 = events
        .iter()
        .map(|event| event["detail"]["count"].as_i64().unwrap_or(1))
        .sum();
    assert_eq!(counted, 30);
}

async fn replays_at_once_end_the_session_once(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    harness.refresh(&token).await;
    harness.wait(Duration::from_secs(11));

    let replays = [(); 5].map(|()| {
        let (harness, token) = (Arc::clone(&harness), token.clone());
        tokio::spawn(async move { harness.refresh(&token).await })
    });
    for replay in replays {
        assert_eq!(replay.await.unwrap().json()["error"], "invalid_grant");
    }

    assert_eq!(harness.events_of("authn_token_reuse").await.len(), 1);
    let page = harness.enforcement_since(0).await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 1);
}

async fn a_token_from_after_the_backup_is_refused_and_told_of(harness: Arc<Harness>) {
    harness.set_up().await;
    let first = harness.log_in("root").await.text_of("refresh_token");
    let second = harness.refresh(&first).await.text_of("refresh_token");

    harness
        .sql("UPDATE sessions SET counter = 1 WHERE counter = 2")
        .await;
    let refused = harness.refresh(&second).await;

    assert_eq!(refused.json()["error"], "invalid_grant");
    let event = harness.last_event().await;
    assert_eq!(
        (event["action"].as_str(), event["reason"].as_str()),
        (Some("authn_token_reuse"), Some("db_rollback"))
    );
    assert_eq!(harness.enforcement_since(0).await["entries"], json!([]));
}

async fn what_this_service_did_not_write_is_no_token(harness: Arc<Harness>) {
    harness.set_up().await;
    let login = harness.log_in("root").await;
    let good = login.text_of("refresh_token");
    let mut forged = good.clone();
    // The last character holds padding bits; one before it is all of the HMAC.
    let position = forged.len() - 5;
    let other = if forged.as_bytes()[position] == b'A' {
        "B"
    } else {
        "A"
    };
    forged.replace_range(position..=position, other);

    let access = login.text_of("access_token");
    for wrong in ["nonsense", "rt_", &forged, &access, &good.replace("rt_", "RT_")] {
        let refused = harness.refresh(wrong).await;
        assert_eq!(refused.json()["error"], "invalid_grant", "{wrong}");
        let event = harness.last_event().await;
        assert_eq!(event["reason"], "refresh_token_invalid");
        assert_eq!(event["actor"]["identity"], "none");
    }
    assert_eq!(harness.refresh(&good).await.status, StatusCode::OK);
}

async fn a_token_is_bound_to_its_client(harness: Arc<Harness>) {
    harness.set_up().await;
    let token = harness.log_in("root").await.text_of("refresh_token");
    let request = |client: &'static str| {
        token_request(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &token),
            ("client_id", client),
        ])
    };

    let foreign = harness.send(request("cli_other")).await;
    let own = harness.send(request("gatelog-login")).await;

    assert_eq!(foreign.json()["error"], "invalid_client");
    assert_eq!(own.status, StatusCode::OK);
}

on_both_databases!(
    a_replaced_token_ends_the_session_and_names_both_parties,
    the_same_client_that_comes_too_late_seems_to_have_lost_the_answer,
    two_refreshes_in_the_same_second_are_told_apart,
    a_repeat_names_both_parties_and_is_no_alarm,
    a_token_that_is_over_can_be_sent_often_without_becoming_many_events,
    replays_at_once_end_the_session_once,
    a_token_from_after_the_backup_is_refused_and_told_of,
    what_this_service_did_not_write_is_no_token,
    a_token_is_bound_to_its_client,
);
