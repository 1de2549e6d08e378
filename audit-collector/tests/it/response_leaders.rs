//! Responses while the one who carries them out dies, and while auth-service is away.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::database::TestDatabase;
use crate::harness::eventually;
use crate::responses::{Auth, Responses, order, until_state, with_alert};

on_both_databases!(orders_wait_for_an_auth_service_that_is_away_but_not_for_ever,);

fn block(user: &str) -> Value {
    json!({"action": "block_subject", "value": user, "reason": "x"})
}

async fn orders_wait_for_an_auth_service_that_is_away_but_not_for_ever(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    let address = responses.auth.goes_away().await;
    let until_tried = async |user: &str| {
        let query = format!("SELECT COUNT(*) FROM response WHERE value = '{user}' AND attempts > 0");
        eventually("it was tried", || async {
            (database.number(&query).await == 1).then_some(())
        })
        .await;
    };

    for user in ["usr_1", "usr_2"] {
        order(&api, &path, block(user)).await;
        until_tried(user).await;
        api.clock.advance(Duration::from_secs(2));
    }
    // A quarter of an hour after the first one, and not after the second.
    api.clock.advance(Duration::from_secs(15 * 60 - 3));
    let until = async |user: &str, so: &str| {
        let query = format!("SELECT COUNT(*) FROM response WHERE value = '{user}' AND {so}");
        eventually(so, || async {
            (database.number(&query).await == 1).then_some(())
        })
        .await;
    };
    until(
        "usr_1",
        "state = 'failed' AND problem LIKE 'auth_service_unreachable: %'",
    )
    .await;
    until("usr_2", "state = 'pending'").await;
    responses.auth = Auth::start_on(address).await;
    eventually("it is in force", || async {
        api.clock.advance(Duration::from_secs(1));
        let query = "SELECT COUNT(*) FROM response WHERE state = 'in_force' AND value = 'usr_2'";
        (database.number(query).await == 1).then_some(())
    })
    .await;
    responses.stop().await;
    collector.stop().await;
}

/// On SQLite there is one collector.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_leader_leaves_behind_that_dies_is_carried_out_and_ended_by_the_next_one() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let (collector, api, path) = with_alert(&database).await;
    let first = Responses::start(&collector.log, api.clock.clone(), 5).await;
    let lock = json!({"action": "lock_account", "value": "usr_1", "seconds": 60, "reason": "x"});
    order(&api, &path, lock).await;
    until_state(&api, &path, "in_force").await;
    let second = Responses::start(&database.log().await, api.clock.clone(), 5).await;

    // It dies after auth-service was asked, and before it knows the answer.
    first.auth.is_stuck.send_replace(true);
    api.clock.advance(Duration::from_millis(1));
    order(&api, &path, block("usr_2")).await;
    eventually("it is asked", || async {
        (first.auth.asked().len() == 2).then_some(())
    })
    .await;
    first.task.abort();

    eventually("the other one is in force", || async {
        let query = "SELECT COUNT(*) FROM response WHERE state = 'in_force' AND value = 'usr_2'";
        (database.number(query).await == 1).then_some(())
    })
    .await;
    api.clock.advance(Duration::from_mins(1));
    eventually("the lock is over", || async {
        let query = "SELECT COUNT(*) FROM response WHERE state = 'expired' AND value = 'usr_1'";
        (database.number(query).await == 1).then_some(())
    })
    .await;
    let asked = second.auth.asked();
    let what: Vec<_> = asked.iter().map(|(what, _)| what.as_str()).collect();
    assert_eq!(what, ["POST /v1/admin/blocks", "PATCH /v1/admin/users/usr_1"]);
    assert_eq!(asked[1].1, json!({"disabled": false}));
    second.stop().await;
    collector.stop().await;
    database.remove().await;
}
