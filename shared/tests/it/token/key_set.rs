//! Key sets as issuers publish them, with real keys.

use serde_json::{Value, json};
use shared::token::{Algorithm, JwksError, KeySet};

use super::mint::{Key, WORLD, with};

fn read(keys: &Value) -> Result<KeySet, JwksError> {
    KeySet::from_jwks(json!({ "keys": keys }).to_string().as_bytes())
}

#[test]
fn a_key_of_each_kind_is_kept_beside_keys_that_are_not_understood() {
    let jwks: Vec<_> = WORLD.keys.iter().map(|key| key.jwk.clone()).collect();
    let mut keys = json!(jwks);
    keys.as_array_mut().unwrap().extend([
        json!({"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AA"}),
        json!({"kty": "OKP", "crv": "Ed448", "x": "AA", "kid": "ed448"}),
        json!(null),
    ]);

    let set = read(&keys).unwrap();

    for (kid, known) in [
        ("ed", true),
        ("ec", true),
        ("rsa", true),
        ("pq", false),
        ("ed448", false),
    ] {
        assert_eq!(set.knows(kid), known, "{kid}");
    }
}

#[test]
fn a_key_is_not_taken_for_another_algorithm_than_its_own() {
    let rsa = &WORLD.keys[2].jwk;
    for alg in ["PS256", "RS512", "HS256", "none"] {
        assert!(
            read(&json!([with(rsa.clone(), "alg", Some(json!(alg)))])).is_err(),
            "{alg}"
        );
    }
    assert!(read(&json!([with(rsa.clone(), "alg", Some(json!("RS256")))])).is_ok());
}

#[test]
fn a_secret_among_public_keys_is_left_out() {
    let secret = Key::generate(Algorithm::Hs256, "secret");
    assert_eq!(secret.jwk["kty"], "oct");

    let set = read(&json!([secret.jwk, WORLD.key().jwk])).unwrap();

    assert!(!set.knows("secret"));
    assert!(set.knows("ed"));
}

#[test]
fn what_is_no_key_set_is_refused() {
    for bytes in [
        &b""[..],
        b"[]",
        b"{}",
        b"{\"keys\":{}}",
        b"<html>",
        b"{\"keys\":[],\"keys\":[]}",
    ] {
        assert!(
            matches!(KeySet::from_jwks(bytes), Err(JwksError::Malformed(_))),
            "{bytes:?}"
        );
    }
    assert!(matches!(read(&json!([])), Err(JwksError::NoUsableKey)));
}
