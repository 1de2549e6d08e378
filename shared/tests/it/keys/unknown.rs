//! Tokens that name a key which is not known: a new one is found at once, invented ones cost next to nothing, and no token has a
//! say in where keys come from.

use serde_json::json;
use shared::guard::IfBlind;
use shared::token::AudienceRule;

use super::issuer::{Issuer, Manner};
use super::{Kept, by, published, token};
use crate::support::until;
use crate::token::mint::{WORLD, claims, header, with};

/// A token by a stranger that names an invented key.
fn invented(number: usize) -> String {
    let head = with(header(), "kid", Some(format!("invented-{number}").into()));
    WORLD.stranger.sign(&head, &claims())
}

#[tokio::test]
async fn the_first_token_by_a_new_key_is_accepted() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;

    kept.issuer.answers(published(&["ed", "ec"]));

    assert_eq!(kept.decides_patiently(&by(1)).await, "accepted");
    assert_eq!(kept.issuer.asked().len(), 2);
}

#[tokio::test]
async fn a_key_that_its_issuer_does_not_have_is_unknown_and_not_asked_for_again() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;

    for _ in 0..100 {
        assert_eq!(kept.decides_patiently(&invented(1)).await, "token_key_unknown");
    }

    assert_eq!(kept.issuer.asked().len(), 2);
}

#[tokio::test]
async fn a_flood_of_invented_keys_is_few_questions() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;

    let tokens: Vec<_> = (0..300).map(invented).collect();
    let decided = tokens.iter().map(|token| {
        kept.guard
            .admit_patiently(token, AudienceRule::Apis, IfBlind::Refuse)
    });
    for decided in futures_util::future::join_all(decided).await {
        assert_eq!(crate::token::outcome(&decided), "token_key_unknown");
    }
    for token in &tokens {
        assert_eq!(kept.decides_patiently(token).await, "token_key_unknown");
    }

    // One at the start, three out of turn, and the clock of this test stands still.
    let asked = kept.issuer.asked().len();
    assert!(asked <= 4, "{asked}");
    assert_eq!(kept.decides(&token()), "accepted");
}

#[tokio::test]
async fn a_key_is_neither_known_nor_unknown_while_its_issuer_is_away() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;
    kept.issuer.answers(Manner::Raw(
        b"HTTP/1.1 503 Away\r\ncontent-length: 0\r\n\r\n".to_vec(),
    ));

    assert_eq!(kept.decides_patiently(&by(1)).await, "keys_unavailable");
    for number in 0..100 {
        assert_eq!(
            kept.decides_patiently(&invented(number)).await,
            "keys_unavailable"
        );
    }

    kept.issuer.answers(published(&["ed", "ec"]));
    kept.until("the issuer is back", &by(1), "accepted").await;
    until("it has no such key", || {
        kept.decides(&invented(7)) == "token_key_unknown"
    })
    .await;
}

#[tokio::test]
async fn nothing_in_a_token_says_where_keys_come_from() {
    let trap = Issuer::start(published(&["ed", "ec"])).await;
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;
    let url = trap.jwks().to_string();

    let jwk = &WORLD.stranger.jwk;
    for more in [
        json!({"jku": url}),
        json!({"x5u": url}),
        json!({"jku": url, "kid": "ec"}),
        json!({"jwk": jwk, "kid": "unknown"}),
        json!({"kid": url}),
        json!({"kid": "../../jwks"}),
        json!({"kid": "x?jku=1\r\nhost: trap"}),
    ] {
        let mut head = header();
        for (name, value) in more.as_object().unwrap() {
            head[name] = value.clone();
        }
        let token = WORLD.stranger.sign(&head, &claims());
        assert_ne!(kept.decides_patiently(&token).await, "accepted", "{more}");
    }
    let foreign = with(claims(), "iss", Some(url.into()));
    let foreign = WORLD.stranger.sign(&header(), &foreign);
    assert_eq!(kept.decides_patiently(&foreign).await, "token_issuer_unknown");

    assert!(trap.asked().is_empty(), "{:?}", trap.asked());
    for line in kept.issuer.asked() {
        assert_eq!(line, "GET /jwks HTTP/1.1");
    }
}
