//! Who is kept out for a time.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client_harness::{add_machine, ask};
use crate::databases::on_both_databases;
use crate::harness::{Answer, Harness};
use crate::sessions::sid;
use crate::users::change;

async fn block(harness: &Harness, admin: &str, body: Value) -> Answer {
    harness.post_as("/v1/admin/blocks", admin, &body).await
}

async fn lift(harness: &Harness, admin: &str, id: &Value) {
    let path = format!("/v1/admin/blocks/{}", id.as_str().unwrap());
    let lifted = change(harness, (Method::DELETE, &path), admin, None, &json!({})).await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT);
}

async fn entries(harness: &Harness) -> Vec<Value> {
    harness.enforcement_since(0).await["entries"]
        .as_array()
        .unwrap()
        .clone()
}

async fn a_block_is_in_the_log_with_its_time_and_is_lifted_by_one_more_entry(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let body = json!({"address": "192.0.2.77/24", "reason": "scraping", "seconds": 3600});

    let made = block(&harness, &admin, body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    assert_eq!(made.json()["value"], "192.0.2.0/24");
    let logged = entries(&harness).await;
    assert_eq!(
        (&logged[0]["kind"], &logged[0]["value"]),
        (&json!("address"), &json!("192.0.2.0/24"))
    );
    assert_eq!(logged[0]["expires_at"], made.json()["expires_at"]);
    assert_eq!(logged[0].get("lifted"), None);
    assert_eq!(logged[0]["decision"], made.json()["id"]);

    let path = format!("/v1/admin/blocks/{}", made.text_of("id"));
    let lift = (Method::DELETE, path.as_str());
    assert_eq!(
        change(&harness, lift.clone(), &admin, None, &json!({}))
            .await
            .status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(
        change(&harness, lift, &admin, None, &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
    let lifted = entries(&harness).await;
    assert_eq!((lifted.len(), &lifted[0]["lifted"]), (1, &json!(true)));
    assert_eq!(lifted[0]["decision"], made.json()["id"]);
    assert!(lifted[0]["cursor"].as_i64() > logged[0]["cursor"].as_i64());
    assert_eq!(
        harness.get_as("/v1/admin/blocks", &admin).await.json()["blocks"],
        json!([])
    );
    let [created] = harness.events_of("block_created").await.try_into().unwrap();
    assert_eq!(
        (
            &created["detail"]["before"],
            &created["detail"]["after"]["reason"]
        ),
        (&Value::Null, &json!("scraping"))
    );
    assert_eq!(harness.events_of("block_lifted").await.len(), 1);
}

/// What the log says of the one target that is in it: the decision, its end, and whether it was taken back.
async fn word(harness: &Harness) -> (Value, Value, bool) {
    let [entry] = entries(harness).await.try_into().unwrap();
    let Value::Object(entry) = entry else {
        panic!("{entry}")
    };
    (
        entry["decision"].clone(),
        entry["expires_at"].clone(),
        entry.contains_key("lifted"),
    )
}

async fn of_several_blocks_of_one_target_the_one_that_ends_last_is_in_force(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let order = |seconds: u64| json!({"address": "192.0.2.7", "reason": "scraping", "seconds": seconds});
    let long = block(&harness, &admin, order(3600)).await.json();
    let of_long = (long["id"].clone(), long["expires_at"].clone(), false);
    assert_eq!(word(&harness).await, of_long);

    let short = block(&harness, &admin, order(60)).await.json();
    assert_eq!(word(&harness).await, of_long, "a shorter one ends no longer one");
    let longest = block(&harness, &admin, order(7200)).await.json();
    let of_longest = (longest["id"].clone(), longest["expires_at"].clone(), false);
    assert_eq!(word(&harness).await, of_longest);
    let listed = harness.get_as("/v1/admin/blocks", &admin).await.json();
    assert_eq!(listed["blocks"].as_array().unwrap().len(), 3);

    lift(&harness, &admin, &longest["id"]).await;
    assert_eq!(word(&harness).await, of_long, "the others stay");
    lift(&harness, &admin, &long["id"]).await;
    assert_eq!(
        word(&harness).await,
        (short["id"].clone(), short["expires_at"].clone(), false)
    );
    harness.wait(Duration::from_mins(1));
    harness.service.upkeep().await;
    assert!(
        entries(&harness).await.is_empty(),
        "nothing of the longer ones comes back"
    );
}

async fn what_is_asked_for_twice_under_one_key_is_one_block(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let key = uuid::Uuid::from_u128(7);
    let order = |address: &str| json!({"address": address, "reason": "x", "seconds": 3600, "key": key});
    let first = block(&harness, &admin, order("192.0.2.7")).await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text);

    harness.wait(Duration::from_secs(5));
    let again = block(&harness, &admin, order("192.0.2.7")).await;
    assert_eq!((again.status, again.json()), (StatusCode::CREATED, first.json()));
    let other = block(&harness, &admin, order("192.0.2.8")).await;
    assert_eq!(other.status, StatusCode::BAD_REQUEST, "{}", other.text);

    assert_eq!(entries(&harness).await.len(), 1);
    assert_eq!(harness.events_of("block_created").await.len(), 1);
}

async fn a_blocked_user_has_no_use_of_its_token_until_the_time_is_over(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");

    block(
        &harness,
        &admin,
        json!({"subject": id, "reason": "odd", "seconds": 60}),
    )
    .await;

    let refused = harness.get_as("/v1/sessions", &alice).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::FORBIDDEN, "subject_blocked")
    );
    harness.wait(Duration::from_mins(1));
    assert_eq!(
        harness.get_as("/v1/sessions", &alice).await.status,
        StatusCode::OK
    );
    harness.service.upkeep().await;
    assert_eq!(harness.number("SELECT COUNT(*) FROM blocks").await, 0);
}

async fn a_session_and_a_token_are_kept_out_by_themselves_and_let_in_again(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    harness.add_user(&admin, "alice", &["user"]).await;
    let alice = harness.log_in("alice").await.text_of("access_token");
    let minted = harness.events_of("authn_token_created").await.pop().unwrap();

    for (kind, code, status) in [
        ("session", "session_blocked", StatusCode::FORBIDDEN),
        ("token", "token_blocked", StatusCode::UNAUTHORIZED),
    ] {
        let id = &minted["detail"][if kind == "session" { "sid" } else { "jti" }];
        let body = json!({kind: id, "reason": "odd", "seconds": 3600});
        let made = block(&harness, &admin, body).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
        let refused = harness.get_as("/v1/sessions", &alice).await;
        assert_eq!((refused.status, refused.code().as_str()), (status, code));

        let path = format!("/v1/admin/blocks/{}", made.text_of("id"));
        let lifted = change(&harness, (Method::DELETE, &path), &admin, None, &json!({})).await;

        assert_eq!(lifted.status, StatusCode::NO_CONTENT);
        let answer = harness.get_as("/v1/sessions", &alice).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    }
}

async fn who_is_to_sign_in_again_is_let_in_by_that_and_by_no_refresh(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let id = harness.add_user(&admin, "alice", &["user"]).await;
    let signed_in = harness.log_in("alice").await;
    let (alice, refresh_token) = (
        signed_in.text_of("access_token"),
        signed_in.text_of("refresh_token"),
    );

    let body = json!({"step_up": id, "reason": "odd", "seconds": 3600});
    let made = block(&harness, &admin, body).await;

    assert_eq!(
        (made.status, made.text_of("kind")),
        (StatusCode::CREATED, "step_up".to_owned())
    );
    let refused = harness.get_as("/v1/sessions", &alice).await;
    assert_eq!(
        (refused.status, refused.code().as_str()),
        (StatusCode::UNAUTHORIZED, "reauthentication_required")
    );
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    assert!(challenge.contains("insufficient_user_authentication") && challenge.contains("max_age=\"0\""));
    harness.wait(Duration::from_secs(2));
    let refreshed = harness.refresh(&refresh_token).await;
    assert_eq!(refreshed.status, StatusCode::OK, "{}", refreshed.text);
    let again = harness
        .get_as("/v1/sessions", &refreshed.text_of("access_token"))
        .await;
    assert_eq!(again.code(), "reauthentication_required");

    let anew = harness.log_in("alice").await.text_of("access_token");
    assert_eq!(harness.get_as("/v1/sessions", &anew).await.status, StatusCode::OK);

    // Of two, lifting one demands nothing more of who has signed in since both.
    let shorter = block(
        &harness,
        &admin,
        json!({"step_up": id, "reason": "odder", "seconds": 60}),
    )
    .await;
    let refused = harness.get_as("/v1/sessions", &anew).await;
    assert_eq!(refused.code(), "reauthentication_required");
    harness.wait(Duration::from_secs(2));
    let twice_anew = harness.log_in("alice").await.text_of("access_token");
    harness.wait(Duration::from_secs(2));
    lift(&harness, &admin, &shorter.json()["id"]).await;
    let answer = harness.get_as("/v1/sessions", &twice_anew).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
    let refused = harness.get_as("/v1/sessions", &alice).await;
    assert_eq!(refused.code(), "reauthentication_required");

    lift(&harness, &admin, &made.json()["id"]).await;
    assert_eq!(
        harness.get_as("/v1/sessions", &alice).await.status,
        StatusCode::OK
    );
}

async fn what_would_keep_out_everybody_or_oneself_is_refused(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let own = harness.get_as("/v1/admin/users?role=admin", &admin).await.json()["users"][0]["id"].clone();
    for (body, code) in [
        (
            json!({"address": "0.0.0.0/0", "reason": "x", "seconds": 60}),
            "body_invalid",
        ),
        (
            json!({"address": "2000::/3", "reason": "x", "seconds": 60}),
            "body_invalid",
        ),
        (
            json!({"address": "localhost", "reason": "x", "seconds": 60}),
            "body_invalid",
        ),
        (
            json!({"address": "192.0.2.1", "subject": "u", "reason": "x", "seconds": 60}),
            "body_invalid",
        ),
        (json!({"reason": "x", "seconds": 60}), "body_invalid"),
        (
            json!({"session": "s", "token": "t", "reason": "x", "seconds": 60}),
            "body_invalid",
        ),
        (json!({"token": "", "reason": "x", "seconds": 60}), "body_invalid"),
        (
            json!({"subject": "u", "reason": " ", "seconds": 60}),
            "body_invalid",
        ),
        (
            json!({"subject": "u", "reason": "x", "seconds": 59}),
            "body_invalid",
        ),
        (
            json!({"subject": "u", "reason": "x", "seconds": 2_592_001}),
            "body_invalid",
        ),
        (
            json!({"address": "203.0.113.0/24", "reason": "x", "seconds": 60}),
            "would_block_yourself",
        ),
        (
            json!({"subject": own, "reason": "x", "seconds": 60}),
            "would_block_yourself",
        ),
    ] {
        assert_eq!(block(&harness, &admin, body.clone()).await.code(), code, "{body}");
    }
    assert!(entries(&harness).await.is_empty());
}

/// A token of a client that has that scope alone.
async fn machine_with(harness: &Harness, admin: &str, scope: &str) -> String {
    let other = json!({"scopes": [scope], "audiences": ["gatelog"]});
    let client = add_machine(harness, admin, &other).await;
    ask(harness, &client, &[]).await.text_of("access_token")
}

async fn put_user(harness: &Harness, bearer: &str, path: &str, body: Value) -> Answer {
    let seen = harness.get_as(path, bearer).await.header("etag").to_owned();
    change(harness, (Method::PATCH, path), bearer, Some(&seen), &body).await
}

async fn who_may_enforce_keeps_out_and_lets_in_again(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let alice = harness.add_user(&admin, "alice", &["user"]).await;
    let enforcer = machine_with(&harness, &admin, "enforcement:write").await;
    let body = json!({"subject": alice, "reason": "odd", "seconds": 60});

    let made = block(&harness, &enforcer, body.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text);
    let path = format!("/v1/admin/blocks/{}", made.text_of("id"));
    let lifted = change(&harness, (Method::DELETE, &path), &enforcer, None, &Value::Null).await;
    assert_eq!(lifted.status, StatusCode::NO_CONTENT, "{}", lifted.text);
    let user = format!("/v1/admin/users/{alice}");
    for disabled in [true, false] {
        let answer = put_user(&harness, &enforcer, &user, json!({"disabled": disabled})).await;
        assert_eq!(
            (answer.status, &answer.json()["disabled"]),
            (StatusCode::OK, &json!(disabled))
        );
    }
    let reader = machine_with(&harness, &admin, "audit:read").await;
    assert_eq!(block(&harness, &reader, body).await.status, StatusCode::FORBIDDEN);
}

async fn who_may_only_enforce_enables_whom_it_alone_has_disabled(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let alice = harness.add_user(&admin, "alice", &["user"]).await;
    let user = format!("/v1/admin/users/{alice}");
    let [enforcer, other] = [
        machine_with(&harness, &admin, "enforcement:write").await,
        machine_with(&harness, &admin, "enforcement:write").await,
    ];
    let set = async |bearer: &str, disabled: bool| {
        let answer = put_user(&harness, bearer, &user, json!({ "disabled": disabled })).await;
        let is_disabled = harness.get_as(&user, &admin).await.json()["disabled"] == json!(true);
        let code = (answer.status != StatusCode::OK).then(|| answer.code());
        (code.unwrap_or_default(), is_disabled)
    };
    let (still, done) = (("disabled_by_another".to_owned(), true), |is| (String::new(), is));

    // An administrator was first.
    assert_eq!(set(&admin, true).await, done(true));
    assert_eq!(set(&enforcer, true).await, done(true));
    assert_eq!(set(&enforcer, false).await, still);
    assert_eq!(set(&admin, false).await, done(false));
    // An administrator says so meanwhile, or another enforcer.
    for meanwhile in [&admin, &other] {
        assert_eq!(set(&enforcer, true).await, done(true));
        assert_eq!(set(&enforcer, true).await, done(true));
        assert_eq!(set(&other, false).await, still);
        assert_eq!(set(meanwhile, true).await, done(true));
        for no_more in [&enforcer, &other] {
            assert_eq!(set(no_more, false).await, still);
        }
        assert_eq!(set(&admin, false).await, done(false));
    }
    // An administrator lets it in earlier, and disables it for a reason of its own.
    assert_eq!(set(&enforcer, true).await, done(true));
    assert_eq!(set(&admin, false).await, done(false));
    assert_eq!(set(&enforcer, false).await, done(false));
    assert_eq!(set(&admin, true).await, done(true));
    assert_eq!(set(&enforcer, false).await, still);
}

async fn what_ends_sessions_by_order_has_a_name_that_refusals_say(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let alice = harness.add_user(&admin, "alice", &["user"]).await;
    let user = format!("/v1/admin/users/{alice}");
    let enforcer = machine_with(&harness, &admin, "enforcement:write").await;
    let first = harness.log_in("alice").await;
    let sid = sid(&first);
    harness.log_in("alice").await;

    let path = format!("/v1/admin/sessions/{sid}");
    let end = || {
        change(
            &harness,
            (Method::DELETE, path.as_str()),
            &enforcer,
            None,
            &Value::Null,
        )
    };
    let ended = end().await.header("x-gatelog-decision").to_owned();
    let locked = put_user(&harness, &enforcer, &user, json!({"disabled": true})).await;
    let locked = locked.header("x-gatelog-decision").to_owned();

    let logged = entries(&harness).await;
    let named = |decision: &str| -> Vec<String> {
        let all = logged.iter().filter(|entry| entry["decision"] == decision);
        all.map(|entry| entry["kind"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(named(&ended), ["sid"]);
    assert_eq!(named(&locked), ["sid", "sub"]);
    // It is told as long as it is so, and of what was so before there is nothing to tell.
    let again = harness.get_as(&user, &enforcer).await;
    assert_eq!(again.header("x-gatelog-decision"), locked);
    assert!(end().await.headers.get("x-gatelog-decision").is_none());
}

async fn who_may_only_enforce_does_nothing_else_of_administration(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let alice = harness.add_user(&admin, "alice", &["user"]).await;
    let enforcer = machine_with(&harness, &admin, "enforcement:write").await;
    let user = format!("/v1/admin/users/{alice}");

    let raised = put_user(&harness, &enforcer, &user, json!({"roles": ["admin"]})).await;
    assert_eq!(
        (raised.status, raised.code().as_str()),
        (StatusCode::FORBIDDEN, "insufficient_scope")
    );
    for (method, path) in [
        (Method::GET, "/v1/admin/users"),
        (Method::GET, "/v1/admin/blocks"),
        (Method::GET, "/v1/admin/clients"),
        (Method::DELETE, user.as_str()),
        (Method::DELETE, "/v1/admin/sessions?user=alice"),
        (Method::POST, "/v1/admin/users"),
        (Method::POST, "/v1/admin/keys/rotate"),
    ] {
        let seen = Some("\"1\"");
        let answer = change(&harness, (method.clone(), path), &enforcer, seen, &json!({})).await;
        assert_eq!(
            answer.status,
            StatusCode::FORBIDDEN,
            "{method} {path}: {}",
            answer.text
        );
    }
}

on_both_databases!(
    a_block_is_in_the_log_with_its_time_and_is_lifted_by_one_more_entry,
    of_several_blocks_of_one_target_the_one_that_ends_last_is_in_force,
    what_is_asked_for_twice_under_one_key_is_one_block,
    a_blocked_user_has_no_use_of_its_token_until_the_time_is_over,
    a_session_and_a_token_are_kept_out_by_themselves_and_let_in_again,
    who_is_to_sign_in_again_is_let_in_by_that_and_by_no_refresh,
    what_would_keep_out_everybody_or_oneself_is_refused,
    who_may_enforce_keeps_out_and_lets_in_again,
    who_may_only_enforce_enables_whom_it_alone_has_disabled,
    what_ends_sessions_by_order_has_a_name_that_refusals_say,
    who_may_only_enforce_does_nothing_else_of_administration,
);
