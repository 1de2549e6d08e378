//! Searches that are kept under a name.

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use shared::event::{Outcome, action};

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;

on_both_databases!(
    a_search_is_kept_changed_and_deleted_and_each_step_is_an_event,
    what_is_somebody_elses_own_is_not_there,
    what_is_for_everybody_takes_the_scope_to_write_rules,
    a_change_of_what_was_changed_meanwhile_is_refused,
    a_name_is_taken_once_by_each_owner,
    a_mistake_is_told_with_its_place_and_keeps_nothing,
    there_are_a_hundred_of_one_owner,
);

const READ: &str = "audit:read";
const WRITE: &str = "audit:read rules:write";

/// A person with that scope.
struct Person<'a> {
    api: &'a TestApi,
    sub: &'a str,
    scope: &'a str,
}

impl Person<'_> {
    async fn ask(&self, method: Method, path: &str, seen: Option<&str>, body: &Value) -> Answer {
        let token = self.api.token_of(self.sub, self.scope, "gatelog");
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json");
        if let Some(version) = seen {
            request = request.header("if-match", version);
        }
        self.api
            .send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    async fn save(&self, body: &Value) -> Answer {
        self.ask(Method::POST, "/v1/searches", None, body).await
    }

    /// Keeps one of that name, and returns its path.
    async fn saved(&self, name: &str, shared: bool) -> String {
        let answer = self
            .save(&json!({"name": name, "q": "user:bob", "shared": shared}))
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        format!("/v1/searches/{}", answer.body["id"].as_str().unwrap())
    }

    async fn read(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, &Value::Null).await
    }

    async fn change(&self, path: &str, seen: Option<&str>, body: &Value) -> Answer {
        self.ask(Method::PATCH, path, seen, body).await
    }

    async fn delete(&self, path: &str, seen: Option<&str>) -> Answer {
        self.ask(Method::DELETE, path, seen, &Value::Null).await
    }

    async fn names(&self) -> Vec<String> {
        let answer = self.read("/v1/searches").await;
        let searches = answer.body["searches"].as_array().unwrap();
        let names = searches.iter().map(|search| search["name"].as_str().unwrap());
        names.map(str::to_owned).collect()
    }
}

async fn api(database: &TestDatabase) -> TestApi {
    TestApi::on(database.log().await)
}

const fn person<'a>(api: &'a TestApi, sub: &'a str, scope: &'a str) -> Person<'a> {
    Person { api, sub, scope }
}

fn refused(answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(
        (answer.status, answer.body["code"].as_str()),
        (status, Some(code)),
        "{}",
        answer.body
    );
}

async fn a_search_is_kept_changed_and_deleted_and_each_step_is_an_event(database: &TestDatabase) {
    let mut api = api(database).await;
    let path = {
        let alice = person(&api, "usr_alice", READ);
        let question = json!({
            "name": "refused today", "q": "outcome:denied last:24h",
            "from": "2026-01-01T00:00:00Z", "to": "2026-01-02T00:00:00Z",
        });
        let kept = alice.save(&question).await;
        assert_eq!(kept.status, StatusCode::CREATED, "{}", kept.body);
        assert_eq!(kept.headers["etag"], "\"1\"");
        assert_eq!(kept.body["owner"], "usr_alice");
        assert_eq!(kept.body["shared"], false);
        let path = format!("/v1/searches/{}", kept.body["id"].as_str().unwrap());

        let read = alice.read(&path).await;
        assert_eq!(
            (&read.body, &read.headers["etag"]),
            (&kept.body, &kept.headers["etag"])
        );
        let changes = json!({"q": "outcome:denied", "from": null});
        let changed = alice.change(&path, Some("\"1\""), &changes).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
        assert_eq!(changed.headers["etag"], "\"2\"");
        let read = alice.read(&path).await.body;
        assert_eq!(read, changed.body);
        assert_eq!(
            (&read["name"], &read["q"], &read["from"], &read["to"]),
            (
                &question["name"],
                &changes["q"],
                &Value::Null,
                &changed.body["to"]
            )
        );
        assert!(read["to"].as_str().unwrap().starts_with("2026-01-02T00:00:00"));
        assert_eq!(
            alice.delete(&path, Some("\"2\"")).await.status,
            StatusCode::NO_CONTENT
        );
        refused(
            &alice.read(&path).await,
            StatusCode::NOT_FOUND,
            "search_not_found",
        );
        path
    };
    let told = steps(&mut api).await;
    assert_eq!((&told[0].0, &told[2].1), (&Value::Null, &Value::Null));
    assert_eq!((&told[0].1, &told[1].1), (&told[1].0, &told[2].0));
    assert!(path.ends_with(told[0].1["id"].as_str().unwrap()));
    assert_eq!(told[1].1["q"], "outcome:denied");
}

/// Before and after of a search that is kept, changed and deleted, by the events.
async fn steps(api: &mut TestApi) -> Vec<(Value, Value)> {
    let mut told = Vec::new();
    for name in [
        action::SEARCH_SAVED,
        action::SEARCH_CHANGED,
        action::SEARCH_DELETED,
    ] {
        let event = api
            .recorded_event(|event| event.facts.action != action::SENSITIVE_READ)
            .await;
        assert_eq!(
            (&*event.facts.action, event.facts.outcome),
            (name, Outcome::Success)
        );
        assert_eq!(event.facts.actor.sub.as_deref(), Some("usr_alice"));
        told.push((
            event.facts.detail["before"].clone(),
            event.facts.detail["after"].clone(),
        ));
    }
    told
}

async fn what_is_somebody_elses_own_is_not_there(database: &TestDatabase) {
    let api = api(database).await;
    let alice = person(&api, "usr_alice", READ);
    // Whoever writes rules sees no more.
    let bob = person(&api, "usr_bob", WRITE);
    let path = alice.saved("hers", false).await;

    assert_eq!(alice.names().await, ["hers"]);
    assert!(bob.names().await.is_empty());
    for answer in [
        bob.read(&path).await,
        bob.change(&path, Some("\"1\""), &json!({"shared": true})).await,
        bob.delete(&path, Some("\"1\"")).await,
    ] {
        refused(&answer, StatusCode::NOT_FOUND, "search_not_found");
    }
    assert_eq!(alice.names().await, ["hers"]);
    let stranger = api.get_as("/v1/searches", None).await;
    assert_eq!(stranger.status, StatusCode::UNAUTHORIZED);
    let user = person(&api, "usr_alice", "orders:read");
    refused(
        &user.save(&json!({})).await,
        StatusCode::FORBIDDEN,
        "insufficient_scope",
    );
}

async fn what_is_for_everybody_takes_the_scope_to_write_rules(database: &TestDatabase) {
    let mut api = api(database).await;
    {
        let alice = person(&api, "usr_alice", READ);
        let writing = person(&api, "usr_alice", WRITE);
        let bob = person(&api, "usr_bob", READ);
        let carol = person(&api, "usr_carol", WRITE);
        let shared = json!({"name": "ours", "q": "user:bob", "shared": true});
        refused(
            &alice.save(&shared).await,
            StatusCode::FORBIDDEN,
            "insufficient_scope",
        );
        let own = alice.saved("hers", false).await;
        let sharing = alice.change(&own, Some("\"1\""), &json!({"shared": true})).await;
        refused(&sharing, StatusCode::FORBIDDEN, "insufficient_scope");
        assert!(bob.names().await.is_empty());

        let path = writing.saved("ours", true).await;

        assert_eq!(bob.names().await, ["ours"]);
        assert_eq!(alice.names().await, ["hers", "ours"]);
        // Not even its owner changes what others rely on.
        for reader in [&alice, &bob] {
            for answer in [
                reader.change(&path, Some("\"1\""), &json!({"q": "user:x"})).await,
                reader
                    .change(&path, Some("\"1\""), &json!({"shared": false}))
                    .await,
                reader.delete(&path, Some("\"1\"")).await,
            ] {
                refused(&answer, StatusCode::FORBIDDEN, "insufficient_scope");
            }
        }
        let changed = carol.change(&path, Some("\"1\""), &json!({"q": "user:x"})).await;
        assert_eq!(
            (changed.status, &changed.body["owner"]),
            (StatusCode::OK, &"usr_alice".into())
        );
        assert_eq!(bob.read(&path).await.body["q"], "user:x");
        assert_eq!(
            carol.delete(&path, Some("\"2\"")).await.status,
            StatusCode::NO_CONTENT
        );
        assert!(bob.names().await.is_empty());
    }
    let refusal = api
        .recorded_event(|event| event.facts.outcome == Outcome::Denied)
        .await;
    assert_eq!(refusal.facts.reason.as_deref(), Some("insufficient_scope"));
}

async fn a_change_of_what_was_changed_meanwhile_is_refused(database: &TestDatabase) {
    let api = api(database).await;
    let alice = person(&api, "usr_alice", READ);
    let path = alice.saved("hers", false).await;
    let changes = json!({"q": "user:x"});

    let unseen = alice.change(&path, None, &changes).await;
    refused(
        &unseen,
        StatusCode::PRECONDITION_REQUIRED,
        "precondition_required",
    );
    let unseen = alice.delete(&path, None).await;
    refused(
        &unseen,
        StatusCode::PRECONDITION_REQUIRED,
        "precondition_required",
    );
    let changed = alice.change(&path, Some("\"1\""), &changes).await;
    assert_eq!(changed.status, StatusCode::OK);
    for version in ["\"1\"", "*", "\"2\", \"3\"", "2", "W/\"2\"", ""] {
        for answer in [
            alice.change(&path, Some(version), &changes).await,
            alice.delete(&path, Some(version)).await,
        ] {
            refused(&answer, StatusCode::PRECONDITION_FAILED, "precondition_failed");
        }
    }
    assert_eq!(alice.read(&path).await.headers["etag"], "\"2\"");

    // Of two who saw the same, one is told of the other.
    let path = alice.saved("another", false).await;
    let (first, second) = tokio::join!(
        alice.change(&path, Some("\"1\""), &changes),
        alice.change(&path, Some("\"1\""), &changes)
    );
    let mut answers = [first.status, second.status];
    answers.sort();
    assert_eq!(answers, [StatusCode::OK, StatusCode::PRECONDITION_FAILED]);
}

async fn a_name_is_taken_once_by_each_owner(database: &TestDatabase) {
    let api = api(database).await;
    let alice = person(&api, "usr_alice", READ);
    let bob = person(&api, "usr_bob", READ);
    let same = json!({"name": "mine", "q": "user:x"});
    alice.saved("mine", false).await;
    bob.saved("mine", false).await;
    let other = alice.saved("other", false).await;

    refused(&alice.save(&same).await, StatusCode::CONFLICT, "search_exists");
    let renamed = alice
        .change(&other, Some("\"1\""), &json!({"name": "mine"}))
        .await;
    refused(&renamed, StatusCode::CONFLICT, "search_exists");
    let kept = alice
        .change(&other, Some("\"1\""), &json!({"name": "other"}))
        .await;
    assert_eq!(kept.status, StatusCode::OK);

    let twice = json!({"name": "at once", "q": "user:x"});
    let (first, second) = tokio::join!(alice.save(&twice), alice.save(&twice));
    let mut answers = [first.status, second.status];
    answers.sort();
    assert_eq!(answers, [StatusCode::CREATED, StatusCode::CONFLICT]);
    assert_eq!(alice.names().await, ["at once", "mine", "other"]);
}

async fn a_mistake_is_told_with_its_place_and_keeps_nothing(database: &TestDatabase) {
    let api = api(database).await;
    let alice = person(&api, "usr_alice", READ);
    let path = alice.saved("hers", false).await;

    let wrong = alice
        .save(&json!({"name": "a", "q": "user:alice stauts:401"}))
        .await;
    refused(&wrong, StatusCode::BAD_REQUEST, "parameter_invalid");
    assert_eq!(
        (&wrong.body["parameter"], &wrong.body["at"]),
        (&"q".into(), &11.into())
    );
    let wrong = alice
        .change(&path, Some("\"1\""), &json!({"q": "user:alice status:abc"}))
        .await;
    assert_eq!(
        (&wrong.body["parameter"], &wrong.body["at"]),
        (&"q".into(), &11.into())
    );
    for body in [
        json!({"name": "a"}),
        json!({"name": "a", "q": "user:a", "owner": "usr_bob"}),
        json!({"name": "a", "q": "user:a", "from": "yesterday"}),
        Value::Null,
    ] {
        refused(&alice.save(&body).await, StatusCode::BAD_REQUEST, "body_invalid");
    }
    for (body, parameter) in [
        (json!({"name": "a\u{0}", "q": "user:a"}), "name"),
        (json!({"name": "a", "q": "user:\u{0}"}), "q"),
        (json!({"name": "a", "q": "x".repeat(2049)}), "q"),
    ] {
        let wrong = alice.save(&body).await;
        refused(&wrong, StatusCode::BAD_REQUEST, "parameter_invalid");
        assert_eq!(wrong.body["parameter"], parameter, "{}", wrong.body);
    }
    refused(
        &alice.read("/v1/searches/7").await,
        StatusCode::BAD_REQUEST,
        "parameter_invalid",
    );
    assert_eq!(alice.names().await, ["hers"]);
    assert_eq!(alice.read(&path).await.body["q"], "user:bob");
}

async fn there_are_a_hundred_of_one_owner(database: &TestDatabase) {
    let api = api(database).await;
    let alice = person(&api, "usr_alice", WRITE);
    let mut last = String::new();
    for number in 0..100 {
        last = alice.saved(&format!("{number:02}"), false).await;
    }

    let one_more = alice.save(&json!({"name": "a", "q": "user:a"})).await;
    refused(&one_more, StatusCode::CONFLICT, "too_many_searches");
    // Those that are there can still be changed, and others are not kept from theirs.
    let changed = alice.change(&last, Some("\"1\""), &json!({"name": "a"})).await;
    assert_eq!(changed.status, StatusCode::OK);
    person(&api, "usr_bob", READ).saved("a", false).await;
    assert_eq!(
        alice.delete(&last, Some("\"2\"")).await.status,
        StatusCode::NO_CONTENT
    );
    alice.saved("b", false).await;

    // All of them together may share so many.
    let share = "UPDATE saved_search SET shared = (owner = owner)";
    database.change(share).await;
    let copies = "INSERT INTO saved_search (id, owner, name, filter, shared, version, made_at, changed_at) \
        SELECT {id}, 'usr_other', 'n' || n, 'user:a', (n > 0), 1, 0, 0 FROM {numbers}";
    let copies = if database.is_server() {
        copies
            .replace("{id}", "gen_random_uuid()")
            .replace("{numbers}", "generate_series(1, 399) AS numbers (n)")
    } else {
        let numbers = "(WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 399) SELECT n FROM c)";
        copies
            .replace("{id}", "randomblob(16)")
            .replace("{numbers}", numbers)
    };
    database.change(&copies).await;
    let carol = person(&api, "usr_carol", WRITE);
    let one_more = carol
        .save(&json!({"name": "a", "q": "user:a", "shared": true}))
        .await;
    refused(&one_more, StatusCode::CONFLICT, "too_many_searches");
    assert_eq!(carol.names().await.len(), 500);
    carol.saved("a", false).await;
}
