//! A policy file that changes while the door is open.

use http::StatusCode;
use shared::event::Event;

use crate::harness::{TestDoor, eventually};

const ORDERS: &str =
    "[[route]]\nname='orders'\nmatch='GET /orders'\nallow='scope:orders:read'\nto='orders'\n";

/// Writes the file as it is with `from` in place of `to`.
fn edit(door: &TestDoor, from: &str, to: &str) {
    let text = std::fs::read_to_string(door.policy_file()).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(door.policy_file(), text.replace(from, to)).unwrap();
}

fn is_change(event: &Event) -> bool {
    event.facts.action == "policy_changed"
}

#[tokio::test]
async fn a_changed_file_is_put_in_force_and_recorded() {
    let door = TestDoor::start(ORDERS).await;
    let token = door.issuer.token();
    assert_eq!(door.get("/orders", Some(&token)).await.status, StatusCode::OK);

    edit(&door, "scope:orders:read", "scope:orders:write");
    eventually("the new rule refuses", async || {
        door.get("/orders", Some(&token)).await.status == StatusCode::FORBIDDEN
    })
    .await;

    let event = door.collector.first("a change of the policy", is_change).await;
    let detail = &event.facts.detail;
    assert_eq!(detail["by"], "file");
    assert_eq!(detail["before"].as_str().unwrap().len(), 64);
    assert_ne!(detail["before"], detail["after"]);
}

#[tokio::test]
async fn a_file_with_a_mistake_changes_nothing_and_is_told_of_once() {
    let door = TestDoor::start(ORDERS).await;
    let token = door.issuer.token();

    edit(&door, "scope:orders:read", "scope:");
    let is_refusal = |event: &Event| event.facts.action == "policy_change_fail";
    let event = door.collector.first("a refused policy", is_refusal).await;
    assert_eq!(event.facts.reason.as_deref(), Some("policy_invalid"));
    assert_eq!(event.facts.detail["problems"], 1);
    assert_eq!(door.get("/orders", Some(&token)).await.status, StatusCode::OK);

    edit(&door, "allow='scope:'", "allow='signed-in'");
    door.collector.first("a change of the policy", is_change).await;
    assert_eq!(door.collector.matching(is_refusal).len(), 1);
}

#[tokio::test]
async fn an_issuer_that_is_taken_out_is_not_believed_any_more_and_the_others_keep_their_keys() {
    let partner = crate::harness::Issuer::start().await;
    let table = format!(
        "[issuer.partner]\nurl='{0}'\njwks='{0}/.well-known/jwks.json'\naudience=['orders']\n",
        partner.url
    );
    let door = TestDoor::start(&format!("{table}{ORDERS}")).await;
    let (own, foreign) = (door.issuer.token(), partner.token());
    assert_eq!(door.get("/orders", Some(&foreign)).await.status, StatusCode::OK);

    edit(&door, &table, "");
    let mut own_answers = Vec::new();
    eventually("the partner's token is refused", async || {
        own_answers.push(door.get("/orders", Some(&own)).await.status);
        door.get("/orders", Some(&foreign)).await.status == StatusCode::UNAUTHORIZED
    })
    .await;

    own_answers.push(door.get("/orders", Some(&own)).await.status);
    assert!(
        own_answers.iter().all(|status| *status == StatusCode::OK),
        "{own_answers:?}"
    );
}
