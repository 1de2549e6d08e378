//! Kinds of signed tokens exclude each other (RFC 8725 §3.12): each is taken only by the reader that it is meant for.

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::token::{Refusal, verify_assertion};

use super::mint::{GATELOG, KIDS, WORLD, claims, header, jwks, with};
use super::{NOW, verify_now};

const CLIENT: &str = "cli_1";

/// A kind: its name, the `typ` of its header if it has one, and claims that are good for it.
type Kind = (&'static str, Option<&'static str>, Value);

const ACCESS_TOKEN: &str = "access token";
const ASSERTION: &str = "client assertion";

/// Every kind that an issuer of ours or a client signs, with claims as alike as the kinds allow.
fn kinds() -> [Kind; 7] {
    let sent = |more: Value| {
        let mut all = json!({
            "iss": GATELOG, "sub": "usr_1", "aud": ["orders"], "exp": NOW + 600, "iat": NOW, "jti": "tok_1", "sid": "ses_1",
        });
        let members = all.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        all
    };
    let logout = json!({"http://schemas.openid.net/event/backchannel-logout": {}});
    let revoked = json!({"https://schemas.openid.net/secevent/caep/event-type/session-revoked": {}});
    let assertion = json!({
        "iss": CLIENT, "sub": CLIENT, "aud": [GATELOG], "exp": NOW + 60, "iat": NOW, "jti": "a_1", "client_id": CLIENT,
    });
    [
        (ACCESS_TOKEN, Some("at+jwt"), claims()),
        (
            "ID token",
            Some("JWT"),
            sent(json!({"nonce": "n", "azp": CLIENT, "auth_time": NOW})),
        ),
        (
            "logout token",
            Some("logout+jwt"),
            sent(json!({"events": logout})),
        ),
        (
            "security event",
            Some("secevent+jwt"),
            sent(json!({"events": revoked, "txn": "t"})),
        ),
        (
            "refresh token",
            Some("refresh+jwt"),
            sent(json!({"scope": "orders:read"})),
        ),
        (
            "DPoP proof",
            Some("dpop+jwt"),
            json!({"htm": "GET", "htu": GATELOG, "iat": NOW, "jti": "p_1"}),
        ),
        (ASSERTION, Some("client-authentication+jwt"), assertion),
    ]
}

/// What the headers of one kind and the claims of another make, signed with each of the keys that are trusted for both.
fn signed(typ: Option<&str>, claims: &Value) -> Vec<String> {
    let head = with(header(), "typ", typ.map(Value::from));
    let sign = |((kid, algorithm), key): (&(&str, _), &super::mint::Key)| {
        let algorithm: shared::token::Algorithm = *algorithm;
        let head = with(head.clone(), "kid", Some(json!(kid)));
        key.sign(&with(head, "alg", Some(json!(algorithm.as_str()))), claims)
    };
    KIDS.iter().zip(&WORLD.keys).map(sign).collect()
}

fn is_access_token(token: &str) -> bool {
    verify_now(token).is_ok()
}

fn asserted(token: &str) -> Result<(), Refusal> {
    let now = UtcMicros::from_seconds(NOW);
    verify_assertion(token, CLIENT, &[GATELOG.to_owned()], &jwks(&WORLD.keys), now).map(drop)
}

#[test]
fn each_kind_is_taken_by_its_own_reader_alone() {
    for (name, typ, claims) in kinds() {
        for token in signed(typ, &claims) {
            assert_eq!(is_access_token(&token), name == ACCESS_TOKEN, "{name}");
            assert_eq!(asserted(&token).is_ok(), name == ASSERTION, "{name}");
        }
    }
}

#[test]
fn the_header_of_one_kind_and_the_claims_of_another_make_neither() {
    for (outside, typ, _) in kinds() {
        for (inside, _, claims) in kinds() {
            for token in signed(typ, &claims) {
                let is_one = outside == ACCESS_TOKEN && inside == ACCESS_TOKEN;
                assert_eq!(is_access_token(&token), is_one, "{inside} as {outside}");
                // Most libraries sign assertions as `JWT`, which says nothing: then the claims have to tell, and do.
                let says_so = outside == ASSERTION || outside == "ID token";
                assert_eq!(
                    asserted(&token).is_ok(),
                    says_so && inside == ASSERTION,
                    "{inside} as {outside}"
                );
            }
        }
    }
}

#[test]
fn a_kind_that_is_not_named_is_none_but_an_assertion() {
    for (name, _, claims) in kinds() {
        for token in signed(None, &claims) {
            assert!(!is_access_token(&token), "{name}");
            assert_eq!(asserted(&token).is_ok(), name == ASSERTION, "{name}");
        }
    }
}
