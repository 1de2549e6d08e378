//! What a refusal says to events and logs: never more than the signature vouches for, and never the token.

use serde_json::{Value, json};
use shared::event::{Actor, Identity};
use shared::token::Refusal;

use super::mint::{WORLD, claims, good, header, with, with_claim};
use super::{NOW, verify_now};

fn actor_of(token: &str) -> Actor {
    verify_now(token).unwrap_err().actor
}

#[test]
fn an_identity_is_verified_only_if_the_signature_held() {
    let expired = with_claim("exp", Some(json!(NOW - 60)));
    let forged = WORLD.stranger.sign(&header(), &claims());
    let unknown_issuer = with_claim("iss", Some(json!("https://evil.example")));

    assert_eq!(actor_of(&expired).identity, Identity::Verified);
    assert_eq!(actor_of(&expired).sub.as_deref(), Some("usr_1"));
    assert_eq!(actor_of(&forged).identity, Identity::Claimed);
    assert_eq!(actor_of(&forged).sub.as_deref(), Some("usr_1"));
    assert_eq!(actor_of(&unknown_issuer).identity, Identity::Claimed);
}

#[test]
fn nobody_is_named_by_what_is_no_token() {
    assert_eq!(actor_of("nonsense"), Actor::default());
    assert_eq!(
        actor_of(&WORLD.key().sign(&header(), &json!({}))),
        Actor::default()
    );
}

#[test]
fn roles_of_a_refused_token_are_not_repeated() {
    assert_eq!(actor_of(&with_claim("exp", Some(json!(0)))).roles, [""; 0]);
}

#[test]
fn a_refused_token_s_facts_are_kept() {
    let rejection = verify_now(&with_claim("exp", Some(json!(NOW - 60)))).unwrap_err();

    assert_eq!(rejection.refusal, Refusal::Expired);
    assert_eq!(rejection.token.kid.as_deref(), Some("ed"));
    assert_eq!(rejection.token.alg.as_deref(), Some("EdDSA"));
    assert_eq!(rejection.token.age_s, Some(0));
}

#[test]
fn what_a_stranger_sent_is_bounded() {
    let long = "ä".repeat(900);
    let head = with(header(), "kid", Some(json!(long)));
    let body = with(
        with(claims(), "sub", Some(json!(long))),
        "iat",
        Some(json!(i64::MIN)),
    );

    let rejection = verify_now(&WORLD.stranger.sign(&head, &body)).unwrap_err();

    for text in [rejection.actor.sub, rejection.token.kid] {
        assert!(text.unwrap().len() <= 256);
    }
    assert_eq!(rejection.token.age_s, Some(i64::MAX));
}

#[test]
fn a_refusal_never_shows_the_token() {
    let token = good();
    let forged = WORLD.stranger.sign(&header(), &claims());
    let expired = with_claim("exp", Some(json!(NOW - 60)));
    for token in [forged, expired, format!("{token}."), token.replace('.', "")] {
        let rejection = verify_now(&token).unwrap_err();

        let shown = format!("{rejection:?} {} {:?}", rejection.refusal, rejection.refusal);

        for part in token.split('.').filter(|part| !part.is_empty()) {
            assert!(!shown.contains(&part[..part.len().min(24)]), "{shown}");
        }
    }
}

#[test]
fn a_code_is_stable_and_every_refusal_has_its_own() {
    let all = [
        Refusal::TooLong,
        Refusal::Malformed,
        Refusal::CriticalHeader,
        Refusal::TypeRefused,
        Refusal::IssuerUnknown,
        Refusal::AlgorithmRefused,
        Refusal::KeyUnknown,
        Refusal::KeysUnavailable,
        Refusal::SignatureInvalid,
        Refusal::ClaimMissing("exp"),
        Refusal::ClaimMalformed("exp"),
        Refusal::Expired,
        Refusal::NotYetValid,
        Refusal::AudienceRefused,
        Refusal::RevocationsUnknown,
        Refusal::Revoked,
    ];

    let codes: std::collections::BTreeSet<_> = all.iter().map(|refusal| refusal.code()).collect();

    assert_eq!(codes.len(), all.len());
    let ours: Vec<_> = all.iter().filter(|refusal| refusal.is_ours()).collect();
    assert_eq!(ours, [&Refusal::KeysUnavailable, &Refusal::RevocationsUnknown]);
}

#[test]
fn a_claim_that_is_missing_is_named() {
    for name in ["exp", "iat", "sub", "aud", "jti", "client_id"] {
        assert_eq!(
            verify_now(&with_claim(name, None)).unwrap_err().refusal,
            Refusal::ClaimMissing(name)
        );
    }
    let malformed = verify_now(&with_claim("sub", Some(Value::Null))).unwrap_err();
    assert_eq!(malformed.refusal, Refusal::ClaimMalformed("sub"));
}
