//! Refusals that auth-service ordered: each names its decision.

use shared::enforcement::Target;

use crate::harness::{TestDoor, eventually};

const ROUTE: &str = "[[route]]\nname='any'\nmatch='GET /any'\nallow='signed-in'\nto='orders'\n";

async fn refused(target: Target, decision: Option<&str>) -> (u16, String, String) {
    let door = TestDoor::start(ROUTE).await;
    let token = door.issuer.token();
    assert_eq!(door.get("/any", Some(&token)).await.status, 200);

    door.issuer.order(target, decision);
    eventually("the door refuses", async || {
        door.get("/any", Some(&token)).await.status != 200
    })
    .await;
    let answer = door.get("/any", Some(&token)).await;
    let event = door.event_of(&answer, "api_request").await.facts;

    let body = String::from_utf8(answer.body.clone()).unwrap();
    let named = event.detail["decision"].as_str().unwrap().to_owned();
    assert!(!body.contains(&named), "clients are told a code alone: {body}");
    assert_eq!(answer.json()["code"], event.reason.as_deref().unwrap());
    (answer.status.as_u16(), event.reason.unwrap(), named)
}

#[tokio::test]
async fn whatever_is_kept_out_is_refused_for_a_reason_of_its_own_and_names_the_block() {
    for (target, status, reason) in [
        (
            Target::Address("127.0.0.0/8".parse().unwrap()),
            403,
            "address_blocked",
        ),
        (Target::Subject("usr_1".into()), 403, "subject_blocked"),
        (Target::Session("ses_1".into()), 403, "session_blocked"),
        (Target::Token("jti_1".into()), 401, "token_blocked"),
    ] {
        let told = refused(target, Some("blk_7")).await;

        assert_eq!(told, (status, reason.to_owned(), "blk_7".to_owned()));
    }
}

#[tokio::test]
async fn a_block_whose_time_is_over_lets_in_again_by_itself() {
    let door = TestDoor::start(ROUTE).await;
    let token = door.issuer.token();
    let is_let_in = async || door.get("/any", Some(&token)).await.status == 200;

    door.issuer
        .order_for(4, Target::Subject("usr_1".into()), Some("blk_7"));

    eventually("the door refuses", async || !is_let_in().await).await;
    eventually("the door lets in again", is_let_in).await;
}

#[tokio::test]
async fn a_revocation_is_named_by_its_place_in_the_log() {
    let told = refused(Target::Sid("ses_1".into()), None).await;

    assert_eq!(told, (401, "token_revoked".to_owned(), "enf_1".to_owned()));
}
