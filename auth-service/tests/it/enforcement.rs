//! Sign-out, and the log that carries it to every verifier.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use serde_json::json;
use shared::enforcement::{Page, Target};

use crate::databases::on_both_databases;
use crate::harness::{Harness, Outside, unverified_claims};

async fn a_sign_out_ends_the_session_and_is_in_the_log_at_once(harness: Arc<Harness>) {
    harness.set_up().await;
    let login = harness.log_in("root").await;
    let token = login.text_of("access_token");

    let ended = harness.post_as("/v1/logout", &token, &json!({})).await;

    assert_eq!((ended.status, ended.text.as_str()), (StatusCode::NO_CONTENT, ""));
    assert_eq!(harness.events_of("authn_logout").await.len(), 1);
    assert_eq!(harness.last_event().await["action"], "authn_token_revoked");
    let page: Page = serde_json::from_value(harness.enforcement_since(0).await).unwrap();
    let sid = unverified_claims(&token)["sid"].as_str().unwrap().to_owned();
    assert_eq!(page.entries[0].target, Target::Sid(sid));
    assert_eq!((page.cursor, page.more), (page.entries[0].cursor, false));
    assert_eq!(
        harness.post_as("/v1/logout", &token, &json!({})).await.code(),
        "token_revoked"
    );
    assert_eq!(
        harness.refresh(&login.text_of("refresh_token")).await.json()["error"],
        "invalid_grant"
    );
}

async fn other_sessions_of_the_user_go_on(harness: Arc<Harness>) {
    let other = harness.set_up().await;
    let ended = harness.log_in("root").await.text_of("access_token");

    harness.post_as("/v1/logout", &ended, &json!({})).await;

    assert_eq!(
        harness.post_as("/v1/logout", &other, &json!({})).await.status,
        StatusCode::NO_CONTENT
    );
}

async fn the_log_is_for_services_only(harness: Arc<Harness>) {
    let admin = harness.set_up().await;

    let nobody = harness.get("/v1/enforcement").await;
    let user = harness.get_as("/v1/enforcement?since=0", &admin).await;

    assert_eq!(
        (nobody.status, nobody.code().as_str()),
        (StatusCode::UNAUTHORIZED, "token_missing")
    );
    assert_eq!(
        (user.status, user.code().as_str()),
        (StatusCode::UNAUTHORIZED, "service_token_refused")
    );
    let service = crate::harness::SERVICE_TOKEN;
    for path in [
        "/v1/enforcement?since=x",
        "/v1/enforcement?since=-1",
        "/v1/enforcement?until=1",
    ] {
        assert_eq!(
            harness.get_as(path, service).await.code(),
            "query_invalid",
            "{path}"
        );
    }
    assert_eq!(
        harness.get_as("/v1/enforcement", service).await.status,
        StatusCode::OK
    );
}

async fn pages_follow_the_cursor_and_leave_out_what_has_expired(harness: Arc<Harness>) {
    harness.set_up().await;
    let log_out = async || {
        let token = harness.log_in("root").await.text_of("access_token");
        harness.post_as("/v1/logout", &token, &json!({})).await;
    };
    log_out().await;
    log_out().await;

    let entries = harness.enforcement_since(0).await["entries"].clone();
    let cursor = |index: usize| entries[index]["cursor"].as_i64().unwrap();
    assert!(cursor(1) > cursor(0));
    assert_eq!(
        harness.enforcement_since(cursor(0)).await["entries"],
        json!([entries[1]])
    );
    assert_eq!(harness.enforcement_since(cursor(1)).await["entries"], json!([]));
    harness.wait(Duration::from_mins(61));
    log_out().await;
    let page = harness.enforcement_since(0).await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 1, "{page}");
    assert_eq!(page["cursor"], page["entries"][0]["cursor"]);
    // A cursor from before a restore gets everything, since it cannot tell what is new.
    let beyond = page["cursor"].as_i64().unwrap() + 1;
    assert_eq!(
        harness.enforcement_since(beyond).await["entries"],
        page["entries"]
    );
}

async fn after_a_restore_from_a_backup_no_new_entry_is_taken_for_a_known_one(harness: Arc<Harness>) {
    harness.set_up().await;
    let log_out = async || {
        let token = harness.log_in("root").await.text_of("access_token");
        harness.post_as("/v1/logout", &token, &json!({})).await;
        harness.wait(Duration::from_secs(1));
    };
    log_out().await;
    harness
        .sql("CREATE TABLE backup AS SELECT * FROM enforcement")
        .await;
    harness
        .sql("CREATE TABLE backup_head AS SELECT * FROM enforcement_head")
        .await;
    for _ in 0..3 {
        log_out().await;
    }
    let heard = harness.enforcement_since(0).await["cursor"].as_i64().unwrap();

    harness.sql("DELETE FROM enforcement").await;
    harness.sql("INSERT INTO enforcement SELECT * FROM backup").await;
    harness
        .sql("UPDATE enforcement_head SET cursor = (SELECT cursor FROM backup_head)")
        .await;
    for _ in 0..5 {
        log_out().await;
    }

    let page = harness.enforcement_since(heard).await;
    assert_eq!(page["entries"].as_array().unwrap().len(), 5, "{page}");
}

async fn a_long_log_comes_in_pages(harness: Arc<Harness>) {
    harness
        .sql(
            "WITH RECURSIVE numbers (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 2500)
             INSERT INTO enforcement (cursor, kind, value, not_before, expires_at)
             SELECT n, 'jti', 'j' || n, 0, 9000000000000000 FROM numbers",
        )
        .await;
    harness.sql("UPDATE enforcement_head SET cursor = 2500").await;

    let (mut cursor, mut seen, mut pages) = (0, 0, 0);
    loop {
        let page: Page = serde_json::from_value(harness.enforcement_since(cursor).await).unwrap();
        assert!(page.entries.iter().all(|entry| entry.cursor > cursor));
        (cursor, seen, pages) = (page.cursor, seen + page.entries.len(), pages + 1);
        if !page.more {
            break;
        }
    }

    assert_eq!((cursor, seen, pages), (2500, 2500, 3));
}

/// Appends an entry outside and holds its commit back while the service appends another one.
async fn no_reader_skips_an_entry_whose_commit_is_delayed(harness: Arc<Harness>) {
    const NEXT: &str = "UPDATE enforcement_head SET cursor = cursor + 1";
    const INSERT: &str = "INSERT INTO enforcement (cursor, kind, value, not_before, expires_at)
        SELECT cursor, 'jti', 'delayed', 0, 9000000000000000 FROM enforcement_head";
    let token = harness.set_up().await;
    macro_rules! delayed_commit {
        ($tx:expr) => {{
            let mut tx = $tx;
            sqlx::query(NEXT).execute(&mut *tx).await.unwrap();
            sqlx::query(INSERT).execute(&mut *tx).await.unwrap();
            let log_out = {
                let harness = Arc::clone(&harness);
                tokio::spawn(async move { harness.post_as("/v1/logout", &token, &json!({})).await.status })
            };
            // Long enough for a sign-out that did not wait to be seen.
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert!(!log_out.is_finished());
            let before = harness.enforcement_since(0).await;
            assert_eq!((&before["entries"], &before["cursor"]), (&json!([]), &json!(0)));
            tx.commit().await.unwrap();
            assert_eq!(log_out.await.unwrap(), StatusCode::NO_CONTENT);
        }};
    }

    match &harness.outside {
        Outside::Sqlite(pool) => delayed_commit!(pool.begin_with("BEGIN IMMEDIATE").await.unwrap()),
        Outside::Postgres(pool) => delayed_commit!(pool.begin().await.unwrap()),
    }

    let page = harness.enforcement_since(0).await;
    assert_eq!(page["entries"][0]["value"], "delayed");
    assert_eq!(page["entries"][1]["kind"], "sid");
    assert_eq!(page["cursor"], page["entries"][1]["cursor"]);
}

on_both_databases!(
    a_sign_out_ends_the_session_and_is_in_the_log_at_once,
    other_sessions_of_the_user_go_on,
    the_log_is_for_services_only,
    pages_follow_the_cursor_and_leave_out_what_has_expired,
    after_a_restore_from_a_backup_no_new_entry_is_taken_for_a_known_one,
    a_long_log_comes_in_pages,
    no_reader_skips_an_entry_whose_commit_is_delayed,
);
