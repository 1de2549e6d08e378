//! An issuer that misbehaves takes nothing away that is known, and what was known is not used for ever.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::Clock as _;
use shared::token::{AudienceRule, KEYS_AGE_MAX};

use super::issuer::{Issuer, Manner, ok};
use super::{Kept, published, token};
use crate::support::until;
use crate::token::mint::{WORLD, with};

/// Answers that are of no use, by what is wrong with them.
fn useless() -> Vec<(&'static str, Manner)> {
    let raw = |text: &str| Manner::Raw(text.as_bytes().to_vec());
    let private = with(WORLD.keys[0].jwk.clone(), "use", None);
    let mut private: Value = private;
    private["d"] = "AA".into();
    let huge = format!(
        "{{\"keys\":[{}],\"more\":\"{}\"}}",
        WORLD.keys[0].jwk,
        "x".repeat(300 * 1024)
    );
    vec![
        ("no HTTP", raw("what?\r\n\r\n")),
        ("nothing", raw("")),
        (
            "an error",
            raw("HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"),
        ),
        (
            "no content",
            raw("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
        ),
        ("a page", Manner::Raw(ok(b"<html>please sign in</html>"))),
        ("no keys", Manner::Keys(vec![])),
        ("a private key", Manner::Keys(vec![private])),
        (
            "a secret",
            Manner::Keys(vec![
                json!({"kty": "oct", "k": "c2VjcmV0", "kid": "ed", "alg": "HS256"}),
            ]),
        ),
        (
            "a weak key",
            Manner::Keys(vec![
                json!({"kty": "RSA", "n": "_".repeat(171), "e": "AQAB", "kid": "rsa"}),
            ]),
        ),
        ("a huge body", Manner::Raw(ok(huge.as_bytes()))),
        ("a body without an end", Manner::Endless),
        (
            "half a body",
            raw("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n{\"keys\":["),
        ),
    ]
}

#[tokio::test]
async fn no_useless_answer_takes_a_known_key_away() {
    for (what, manner) in useless() {
        let kept = Kept::start(published(&["ed"])).await;
        kept.until("the keys are known", &token(), "accepted").await;
        kept.issuer.answers(manner);

        // A key that is not known makes the issuer be asked again.
        let unknown = super::by(1);
        until(what, || {
            kept.decides(&unknown) == "keys_unavailable" && kept.issuer.asked().len() > 2
        })
        .await;

        assert_eq!(kept.decides(&token()), "accepted", "{what}");
    }
}

#[tokio::test]
async fn an_issuer_that_hangs_holds_nobody_up_who_has_a_known_key() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;
    kept.issuer.answers(Manner::Hang);

    let unknown = super::by(1);
    assert_eq!(kept.decides_patiently(&unknown).await, "keys_unavailable");

    assert_eq!(kept.decides(&token()), "accepted");
    kept.issuer.answers(published(&["ed", "ec"]));
    kept.until("the issuer is asked again", &unknown, "accepted")
        .await;
}

#[tokio::test]
async fn nobody_is_sent_elsewhere_by_an_issuer() {
    let elsewhere = Issuer::start(published(&["ec"])).await;
    let redirect = format!(
        "HTTP/1.1 302 Found\r\nlocation: {}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        elsewhere.jwks()
    );
    let kept = Kept::start(Manner::Raw(redirect.into_bytes())).await;

    until("the issuer is asked twice", || kept.issuer.asked().len() > 1).await;

    assert!(elsewhere.asked().is_empty());
    assert_eq!(kept.decides(&token()), "keys_unavailable");
}

#[tokio::test]
async fn known_keys_outlive_an_outage_by_a_day_and_no_more() {
    let kept = Kept::start(published(&["ed"])).await;
    kept.until("the keys are known", &token(), "accepted").await;
    kept.issuer.answers(Manner::Hang);
    let hear = || {
        let nothing = shared::enforcement::Page::default();
        kept.guard.hear(&nothing, kept.clock.now());
    };
    let admitted = kept.guard.admit(&token(), AudienceRule::Apis).unwrap();
    assert_eq!(admitted.stale_keys_age, None);
    assert!(!kept.guard.has_stale_keys());

    kept.clock.advance(KEYS_AGE_MAX);
    hear();
    let admitted = kept.guard.admit(&token(), AudienceRule::Apis).unwrap();
    assert_eq!(admitted.stale_keys_age, Some(KEYS_AGE_MAX));
    assert!(kept.guard.has_stale_keys() && kept.guard.has_all_keys());

    kept.clock.advance(Duration::from_micros(1));
    hear();
    assert_eq!(kept.decides(&token()), "keys_unavailable");
    assert!(!kept.guard.has_all_keys() && !kept.guard.has_keys());
}

#[tokio::test]
async fn a_service_that_starts_without_its_issuer_goes_by_the_copy_for_as_long_as_by_the_keys() {
    let folder = tempfile::tempdir().unwrap();
    let issuer = Issuer::start(published(&["ed"])).await;
    let first = Kept::with_copies(issuer, Some(folder.path()));
    first.until("the keys are known", &token(), "accepted").await;
    until("there is a copy", || {
        std::fs::read_dir(folder.path()).unwrap().any(|file| {
            file.unwrap()
                .path()
                .extension()
                .is_some_and(|extension| extension == "json")
        })
    })
    .await;
    first.issuer.answers(Manner::Raw(Vec::new()));
    let restart = || {
        let issuer = Issuer::of(&first.issuer);
        Kept::at(issuer, Some(folder.path()), first.clock.clone())
    };

    first.clock.advance(Duration::from_hours(1));
    let second = restart();
    second.until("the copy is known", &token(), "accepted").await;
    let admitted = second.guard.admit(&token(), AudienceRule::Apis).unwrap();
    assert_eq!(admitted.stale_keys_age, Some(Duration::from_hours(1)));

    first.clock.advance(KEYS_AGE_MAX);
    let third = restart();
    let asked = third.issuer.asked().len();
    until("the issuer is asked", || third.issuer.asked().len() > asked + 1).await;
    assert_eq!(third.decides(&token()), "keys_unavailable");
}
