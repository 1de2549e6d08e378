//! Forged signatures: other algorithms, other keys, none at all.

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::RevocationSet;
use shared::token::{Algorithm, AudienceRule, IssuerRules, Trust, TrustedIssuer, verify};

use super::{assert_outcomes, headers, text};
use crate::token::mint::{
    GATELOG, KIDS, Key, LEGACY, WORLD, claims, encode, good, header, legacy, with, with_header,
};
use crate::token::{NOW, outcome};

#[test]
fn an_algorithm_other_than_the_key_s_own_is_refused() {
    let refused = "token_algorithm_refused";
    let names = [
        "none", "None", "NONE", "nOnE", "", "HS256", "eddsa", "EDDSA", "Ed25519", "ES256", "RS256", "PS256",
        "RS512", "ES384", "ES512", "HS512", "EdDSA ", "dir", "A256GCM",
    ];
    for name in names {
        headers("alg", &[(json!(name), refused)]);
    }
    headers(
        "alg",
        &[
            (json!(["EdDSA"]), refused),
            (json!(1), refused),
            (Value::Null, refused),
        ],
    );
    assert_outcomes([text("no alg", with_header("alg", None), refused)]);
}

/// Whatever key it is: an unknown name is never taken for the key's own algorithm, with which the signature would be good.
#[test]
fn a_good_signature_does_not_make_up_for_the_name_of_another_algorithm() {
    for ((kid, own), key) in KIDS.iter().zip(&WORLD.keys) {
        for name in [
            "none", "", "HS256", "EdDSA", "Ed25519", "ES256", "RS256", "PS256", "RS512",
        ] {
            let named = with(header(), "alg", Some(json!(name)));
            let token = key.sign(&with(named, "kid", Some(json!(kid))), &claims());
            let expected = if name == own.as_str() {
                "accepted"
            } else {
                "token_algorithm_refused"
            };
            assert_outcomes([text(&format!("{name} with {kid}"), token, expected)]);
        }
    }
}

#[test]
fn an_algorithm_that_is_not_accepted_from_its_issuer_is_refused_even_with_a_key_for_it() {
    let issuer = WORLD.trust.issuer(GATELOG).unwrap();
    let rules = IssuerRules {
        algorithms: vec![Algorithm::Es256, Algorithm::Rs256],
        ..IssuerRules::clone(&issuer.rules)
    };
    let narrowed = TrustedIssuer::with_keys(rules, crate::token::mint::jwks(&WORLD.keys));

    let [before, after] = [issuer.clone(), narrowed].map(|issuer| {
        let trust = Trust::new(vec![issuer]);
        let now = UtcMicros::from_seconds(NOW);
        verify(
            &good(),
            &trust,
            AudienceRule::Apis,
            &RevocationSet::default(),
            now,
        )
    });

    assert_eq!(outcome(&before), "accepted");
    assert_eq!(outcome(&after), "token_algorithm_refused");
}

#[test]
fn a_token_without_a_signature_is_refused() {
    let (message, _) = good()
        .rsplit_once('.')
        .map(|(m, s)| (m.to_owned(), s.to_owned()))
        .unwrap();
    let unsigned_header = encode(with(header(), "alg", Some(json!("none"))).to_string().as_bytes());
    let unsigned = format!("{unsigned_header}.{}.", encode(claims().to_string().as_bytes()));
    assert_outcomes([
        text("alg none", unsigned, "token_algorithm_refused"),
        text(
            "signature removed",
            format!("{message}."),
            "token_signature_invalid",
        ),
        text(
            "signature of zeros",
            format!("{message}.{}", encode(&[0; 64])),
            "token_signature_invalid",
        ),
        text(
            "a short signature",
            format!("{message}.AAAA"),
            "token_signature_invalid",
        ),
        text(
            "a signature of many bytes",
            format!("{message}.{}", encode(&[7; 4_000])),
            "token_signature_invalid",
        ),
    ]);
}

#[test]
fn an_ecdsa_signature_of_zeros_or_in_another_encoding_is_refused() {
    let ec = &WORLD.keys[1];
    let head = with(
        with(header(), "alg", Some(json!("ES256"))),
        "kid",
        Some(json!("ec")),
    );
    let token = ec.sign(&head, &claims());
    let (message, _) = token.rsplit_once('.').unwrap();
    let der_of_one_and_one = [0x30, 6, 2, 1, 1, 2, 1, 1];
    assert_outcomes([
        text("as it was", token.clone(), "accepted"),
        text(
            "r = s = 0",
            format!("{message}.{}", encode(&[0; 64])),
            "token_signature_invalid",
        ),
        text(
            "DER",
            format!("{message}.{}", encode(&der_of_one_and_one)),
            "token_signature_invalid",
        ),
        text(
            "all ones",
            format!("{message}.{}", encode(&[0xff; 64])),
            "token_signature_invalid",
        ),
    ]);
}

#[test]
fn a_public_key_is_no_secret() {
    let head = with(header(), "alg", Some(json!("HS256")));
    let jwk = &WORLD.key().jwk;
    let x = jwk["x"].as_str().unwrap();
    for secret in [x.as_bytes().to_vec(), jwk.to_string().into_bytes(), Vec::new()] {
        let message = format!(
            "{}.{}",
            encode(head.to_string().as_bytes()),
            encode(claims().to_string().as_bytes())
        );
        let key = jsonwebtoken::EncodingKey::from_secret(&secret);
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &key, jsonwebtoken::Algorithm::HS256).unwrap();

        assert_outcomes([text(
            "HS256",
            format!("{message}.{signature}"),
            "token_algorithm_refused",
        )]);
    }
}

#[test]
fn a_stranger_s_key_is_refused_whatever_it_is_called() {
    let jwk = &WORLD.stranger.jwk;
    let forged =
        |name: &str, value: Value| WORLD.stranger.sign(&with(header(), name, Some(value)), &claims());
    assert_outcomes([
        text(
            "same kid",
            WORLD.stranger.sign(&header(), &claims()),
            "token_signature_invalid",
        ),
        text(
            "brings its key",
            forged("jwk", jwk.clone()),
            "token_signature_invalid",
        ),
        text(
            "names its keys",
            forged("jku", json!("http://127.0.0.1:9/jwks")),
            "token_signature_invalid",
        ),
        text(
            "names a certificate",
            forged("x5u", json!("file:///etc/passwd")),
            "token_signature_invalid",
        ),
        text(
            "brings a certificate",
            forged("x5c", json!(["MIIB"])),
            "token_signature_invalid",
        ),
        text(
            "another issuer's key",
            WORLD.partner.sign(&header(), &claims()),
            "token_signature_invalid",
        ),
    ]);
}

#[test]
fn an_issuer_with_a_secret_takes_nothing_but_its_algorithm() {
    let own = json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"});
    let for_legacy = json!({"iss": LEGACY, "user_id": 17, "aud": "orders", "exp": NOW + 600});
    let malformed = "token_claim_malformed";
    let short = Key::generate(Algorithm::EdDsa, "any");
    assert_outcomes([
        text(
            "EdDSA",
            WORLD.key().sign(&own, &for_legacy),
            "token_algorithm_refused",
        ),
        text(
            "a stranger's EdDSA",
            short.sign(&own, &for_legacy),
            "token_algorithm_refused",
        ),
        text("no exp", legacy("exp", None), "token_claim_missing"),
        text("no aud", legacy("aud", None), "token_claim_missing"),
        text("no subject", legacy("user_id", None), "token_claim_missing"),
        text("an empty subject", legacy("user_id", Some(json!(""))), malformed),
        text("a broken subject", legacy("user_id", Some(json!(1.5))), malformed),
        text(
            "a list of subjects",
            legacy("user_id", Some(json!([17]))),
            malformed,
        ),
        text(
            "a role of another type",
            legacy("role", Some(json!(1))),
            malformed,
        ),
        text("expired", legacy("exp", Some(json!(NOW - 5))), "token_expired"),
        text(
            "for another",
            legacy("aud", Some(json!("billing"))),
            "token_audience_refused",
        ),
    ]);
}
