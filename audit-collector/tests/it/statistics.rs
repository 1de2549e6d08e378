//! What a period's events add up to.

use audit_collector::search::{Filter, Search};
use audit_collector::statistics::Count;
use shared::event::{Class, Facts, Identity, Outcome, action};

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts, requests};

on_both_databases!(a_summary_counts_exactly, a_summary_of_nothing_is_empty);

fn counts(list: &[Count]) -> Vec<(&str, i64)> {
    list.iter()
        .map(|count| (count.value.as_str(), count.events))
        .collect()
}

async fn a_summary_counts_exactly(database: &TestDatabase) {
    let log = database.log().await;
    let mut batch = requests(20);
    for second in 20..25 {
        let mut facts = request_facts().because("token_expired");
        facts.outcome = Outcome::Denied;
        facts.actor.username = None;
        facts.client = None;
        facts.policy = None;
        batch.push(arrival(event(at(second), facts)));
    }
    let mut claimed = Facts::new(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure);
    claimed.actor.identity = Identity::Claimed;
    claimed.actor.username = Some("mallory".into());
    batch.push(arrival(event(at(25), claimed)));
    log.append(&batch, &[], NOW).await.unwrap();

    let all = log.summary(&Filter::default()).await.unwrap();
    let part = log
        .summary(
            &Search::parse("from=2026-01-15T00:00:10Z&to=2026-01-15T00:00:22Z", NOW)
                .unwrap()
                .filter,
        )
        .await
        .unwrap();

    assert_eq!(all.events, 26);
    assert_eq!(counts(&all.by_class), [("access", 25), ("auth", 1)]);
    assert_eq!(
        counts(&all.by_outcome),
        [("granted", 20), ("denied", 5), ("failure", 1)]
    );
    assert_eq!(counts(&all.by_reason), [("token_expired", 5)]);
    assert_eq!(
        counts(&all.by_action),
        [("api_request", 25), ("authn_login_fail", 1)]
    );
    assert_eq!(counts(&all.top_users), [("alice", 20), ("usr_alice", 5)]);
    assert_eq!(counts(&all.top_addresses), [("192.0.2.7", 20)]);
    assert_eq!(counts(&all.top_routes), [("read-order", 20), ("/orders/{id}", 5)]);
    assert_eq!(part.events, 12);
    assert_eq!(counts(&part.by_outcome), [("granted", 10), ("denied", 2)]);
}

async fn a_summary_of_nothing_is_empty(database: &TestDatabase) {
    let summary = database.log().await.summary(&Filter::default()).await.unwrap();

    assert_eq!(summary.events, 0);
    assert!(summary.by_class.is_empty() && summary.top_users.is_empty());
}
