//! Every forged or malformed token we can think of, with the code of its refusal.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use shared::token::TOKEN_BYTES_MAX;

use super::mint::{
    GATELOG, Key, LEGACY, PARTNER, UNREACHED, WORLD, claims, encode, good, header, legacy, with, with_claim,
    with_header,
};
use super::{NOW, outcome, verify_now};

/// Checks a table of names, tokens and codes, and that no refusal takes long.
fn assert_outcomes(table: impl IntoIterator<Item = (String, String, &'static str)>) {
    for (name, token, expected) in table {
        let started = Instant::now();

        let result = verify_now(&token);

        assert_eq!(outcome(&result), expected, "{name}");
        assert!(started.elapsed() < Duration::from_secs(1), "{name} took too long");
    }
}

fn headers(name: &'static str, cases: &[(Value, &'static str)]) {
    assert_outcomes(cases.iter().map(|(value, code)| {
        let token = with_header(name, Some(value.clone()));
        (format!("header {name} = {value}"), token, *code)
    }));
}

fn claim(name: &'static str, cases: &[(Value, &'static str)]) {
    assert_outcomes(cases.iter().map(|(value, code)| {
        let token = with_claim(name, Some(value.clone()));
        (format!("claim {name} = {value}"), token, *code)
    }));
}

fn text(name: &str, token: impl Into<String>, code: &'static str) -> (String, String, &'static str) {
    (name.to_owned(), token.into(), code)
}

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
fn a_key_id_is_looked_up_and_nothing_else() {
    let unknown = "token_key_unknown";
    headers(
        "kid",
        &[
            (json!("other"), unknown),
            (json!(""), unknown),
            (json!("ED"), unknown),
            (json!("ed\u{0}"), unknown),
            (json!("../../dev/null"), unknown),
            (json!("' OR 1=1 --"), unknown),
            (json!("k".repeat(5_000)), unknown),
            (json!("ec"), "token_algorithm_refused"),
            (json!(["ed"]), "token_malformed"),
            (json!({"ed": 1}), "token_malformed"),
            (json!(1), "token_malformed"),
            (Value::Null, "token_malformed"),
        ],
    );
    assert_outcomes([text(
        "no kid among several keys",
        with_header("kid", None),
        unknown,
    )]);
}

#[test]
fn only_an_access_token_is_taken_for_one() {
    let refused = "token_type_refused";
    for typ in [
        "JWT",
        "jwt",
        "id+jwt",
        "logout+jwt",
        "secevent+jwt",
        "dpop+jwt",
        "",
        "at+jwt ",
        "text/at+jwt",
    ] {
        headers("typ", &[(json!(typ), refused)]);
    }
    headers(
        "typ",
        &[
            (json!(["at+jwt"]), refused),
            (Value::Null, refused),
            (json!(1), refused),
        ],
    );
    assert_outcomes([text("no typ", with_header("typ", None), refused)]);
}

#[test]
fn an_id_token_is_no_access_token() {
    let head = with(header(), "typ", Some(json!("JWT")));
    let id_claims = json!({
        "iss": GATELOG, "sub": "usr_1", "aud": "orders", "exp": NOW + 600, "iat": NOW, "nonce": "n",
    });

    assert_outcomes([
        text(
            "by its type",
            WORLD.key().sign(&head, &id_claims),
            "token_type_refused",
        ),
        text(
            "by its claims",
            WORLD.key().sign(&header(), &id_claims),
            "token_claim_missing",
        ),
    ]);
}

#[test]
fn an_extension_that_must_be_understood_is_refused() {
    let refused = "token_critical_header";
    headers(
        "crit",
        &[
            (json!(["exp"]), refused),
            (json!([]), refused),
            (Value::Null, refused),
        ],
    );
    headers("b64", &[(json!(false), refused), (json!(true), refused)]);
}

#[test]
fn an_issuer_is_one_text_and_compared_exactly() {
    let unknown = "token_issuer_unknown";
    claim(
        "iss",
        &[
            (json!([GATELOG]), unknown),
            (json!({"iss": GATELOG}), unknown),
            (json!(1), unknown),
            (Value::Null, unknown),
            (json!(""), unknown),
            (json!("https://evil.example"), unknown),
            (json!(format!("{GATELOG}/")), unknown),
            (json!(GATELOG.to_uppercase()), unknown),
            (json!(format!(" {GATELOG}")), unknown),
            (json!(UNREACHED), "keys_unavailable"),
            // Its key has the same id and is another key.
            (json!(PARTNER), "token_signature_invalid"),
            (json!(LEGACY), "token_type_refused"),
        ],
    );
    assert_outcomes([text("no iss", with_claim("iss", None), unknown)]);
}

#[test]
fn an_audience_must_be_there_and_ours() {
    let (malformed, refused) = ("token_claim_malformed", "token_audience_refused");
    claim(
        "aud",
        &[
            (json!("orders"), "accepted"),
            (json!(["billing", "orders"]), "accepted"),
            (json!(["gatelog", "orders"]), "accepted"),
            (json!("gatelog"), refused),
            (json!("billing"), refused),
            (json!(["billing"]), refused),
            (json!([]), refused),
            (json!("Orders"), refused),
            (json!("orders "), refused),
            (json!(""), malformed),
            (json!(["orders", 1]), malformed),
            (json!([["orders"]]), malformed),
            (json!(["orders", ""]), malformed),
            (json!(7), malformed),
            (json!({"orders": true}), malformed),
            (Value::Null, malformed),
        ],
    );
    assert_outcomes([text("no aud", with_claim("aud", None), "token_claim_missing")]);
}

#[test]
fn a_token_ends_at_its_exp_and_five_seconds_of_leeway() {
    let malformed = "token_claim_malformed";
    claim(
        "exp",
        &[
            (json!(NOW), "accepted"),
            (json!(NOW - 4), "accepted"),
            (json!(NOW - 5), "token_expired"),
            (json!(NOW - 6), "token_expired"),
            (json!(0), "token_expired"),
            (json!(-1), "token_expired"),
            (json!(1_700_000_060.7), "accepted"),
            (json!(1_699_999_995.9), "token_expired"),
            (json!(i64::MAX), "accepted"),
            (json!(u64::MAX), malformed),
            (json!(1e300), malformed),
            (json!((NOW + 600).to_string()), malformed),
            (json!(true), malformed),
            (json!([NOW + 600]), malformed),
            (Value::Null, malformed),
        ],
    );
    assert_outcomes([
        text("no exp", with_claim("exp", None), "token_claim_missing"),
        text(
            "exp of infinity",
            with_raw_claim(r#""exp":1e999"#),
            "token_malformed",
        ),
        text(
            "exp in hexadecimal",
            with_raw_claim(r#""exp":0xffffffff"#),
            "token_malformed",
        ),
    ]);
}

#[test]
fn a_token_begins_at_its_nbf_and_iat_less_five_seconds() {
    for name in ["nbf", "iat"] {
        claim(
            name,
            &[
                (json!(NOW + 5), "accepted"),
                (json!(NOW + 6), "token_not_yet_valid"),
                (json!(i64::MAX), "token_not_yet_valid"),
                (json!(0), "accepted"),
                (json!("1"), "token_claim_malformed"),
                (json!("99999999999"), "token_claim_malformed"),
                (json!([1]), "token_claim_malformed"),
                (Value::Null, "token_claim_malformed"),
            ],
        );
    }
    assert_outcomes([text("no iat", with_claim("iat", None), "token_claim_missing")]);
}

#[test]
fn what_an_access_token_requires_must_be_there_and_of_its_type() {
    let malformed = "token_claim_malformed";
    for name in ["sub", "jti", "client_id"] {
        claim(
            name,
            &[
                (json!(""), malformed),
                (json!(17), malformed),
                (json!(["usr_1"]), malformed),
                (json!({}), malformed),
                (json!(false), malformed),
                (Value::Null, malformed),
            ],
        );
        assert_outcomes([text(name, with_claim(name, None), "token_claim_missing")]);
    }
}

#[test]
fn what_an_access_token_may_have_must_be_of_its_type() {
    let malformed = "token_claim_malformed";
    for name in ["sid", "scope", "username"] {
        claim(
            name,
            &[
                (json!(1), malformed),
                (json!(["a"]), malformed),
                (Value::Null, malformed),
            ],
        );
    }
    claim(
        "roles",
        &[
            (json!(1), malformed),
            (json!(["clerk", 1]), malformed),
            (json!([""]), malformed),
            (json!({"clerk": true}), malformed),
            (Value::Null, malformed),
        ],
    );
}

#[test]
fn a_member_that_stands_twice_is_refused() {
    let (head, body) = (header().to_string(), claims().to_string());
    let double = |text: &str, member: &str| format!("{},{member}}}", text.trim_end_matches('}'));
    assert_outcomes([
        text(
            "sub",
            WORLD.key().sign_text(&head, &double(&body, r#""sub":"usr_2""#)),
            "token_malformed",
        ),
        text(
            "exp",
            WORLD
                .key()
                .sign_text(&head, &double(&body, r#""exp":9999999999"#)),
            "token_malformed",
        ),
        text(
            "unknown",
            WORLD.key().sign_text(&head, &double(&body, r#""a":1,"a":1"#)),
            "token_malformed",
        ),
        text(
            "escaped",
            WORLD
                .key()
                .sign_text(&head, &double(&body, r#""\u0073ub":"usr_2""#)),
            "token_malformed",
        ),
        text(
            "alg",
            WORLD.key().sign_text(&double(&head, r#""alg":"none""#), &body),
            "token_malformed",
        ),
        text(
            "kid",
            WORLD.key().sign_text(&double(&head, r#""kid":"ed""#), &body),
            "token_malformed",
        ),
    ]);
}

#[test]
fn parts_that_are_no_json_objects_are_refused() {
    let (head, body) = (header().to_string(), claims().to_string());
    let deep = format!("{}{}", "[".repeat(2_000), "]".repeat(2_000));
    let key = WORLD.key();
    for (name, head, body) in [
        ("claims are a list", head.clone(), "[]".to_owned()),
        ("claims are a text", head.clone(), "\"a\"".to_owned()),
        ("claims are null", head.clone(), "null".to_owned()),
        ("claims are empty", head.clone(), String::new()),
        ("header is a list", "[]".to_owned(), body.clone()),
        (
            "something follows the claims",
            head.clone(),
            format!("{body}{{}}"),
        ),
        ("a byte order mark", head.clone(), format!("\u{feff}{body}")),
        (
            "half a surrogate pair",
            head.clone(),
            body.replace("usr_1", "\\ud800"),
        ),
        ("deep nesting", head.clone(), body.replace("\"usr_1\"", &deep)),
        ("a comment", head.clone(), body.replace('{', "{/**/")),
        ("single quotes", head, body.replace('"', "'")),
    ] {
        assert_outcomes([text(name, key.sign_text(&head, &body), "token_malformed")]);
    }
    let message = format!(
        "{}.{}",
        encode(header().to_string().as_bytes()),
        encode(b"{\"iss\":\"\xff\"}")
    );
    assert_outcomes([text("not UTF-8", key.sign_message(&message), "token_malformed")]);
}

#[test]
fn only_the_compact_form_is_read() {
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    let json_form = json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string();
    let malformed = "token_malformed";
    assert_outcomes([
        text("nothing", "", malformed),
        text("one part", parts[0], malformed),
        text("two parts", format!("{}.{}", parts[0], parts[1]), malformed),
        text("four parts", format!("{token}.{}", parts[2]), malformed),
        text(
            "five parts, as encrypted tokens have",
            format!("{token}..{}", parts[2]),
            malformed,
        ),
        text("a dot before", format!(".{token}"), malformed),
        text("a dot behind", format!("{token}."), malformed),
        text("dots alone", "..", malformed),
        text("no header", format!(".{}.{}", parts[1], parts[2]), malformed),
        text("no claims", format!("{}..{}", parts[0], parts[2]), malformed),
        text(
            "no signature",
            format!("{}.{}.", parts[0], parts[1]),
            "token_signature_invalid",
        ),
        text("JSON serialisation", json_form, malformed),
        text("with its scheme", format!("Bearer {token}"), malformed),
        text("in quotes", format!("\"{token}\""), malformed),
        text(
            "a token of another kind",
            "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
            malformed,
        ),
    ]);
}

#[test]
fn base64_has_one_spelling() {
    let token = good();
    let parts: Vec<_> = token.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let (malformed, invalid) = ("token_malformed", "token_signature_invalid");
    // The signature is read by another decoder than the rest, so that each case is tried on it as well.
    for (name, changed) in [
        ("padding", "="),
        ("a space", " "),
        ("a line feed", "\n"),
        ("a zero byte", "\0"),
        ("a character of the other alphabet", "+"),
        ("a character of no alphabet", "ä"),
    ] {
        assert_outcomes([
            text(name, format!("{head}{changed}.{body}.{signature}"), malformed),
            text(name, format!("{head}.{body}{changed}.{signature}"), malformed),
            text(name, format!("{head}.{body}.{signature}{changed}"), invalid),
            text(name, format!("{changed}{token}"), malformed),
        ]);
    }
}

#[test]
fn bits_that_base64_leaves_unused_must_be_zero() {
    // 64 bytes of signature are 86 characters, the last of which carries two bits.
    let token = good();
    let (rest, last) = token.split_at(token.len() - 1);
    for other in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        if last != other.to_string() {
            assert_outcomes([text(
                "last character",
                format!("{rest}{other}"),
                "token_signature_invalid",
            )]);
        }
    }
}

#[test]
fn a_token_is_looked_at_up_to_its_longest() {
    let padded = |count: usize| with_claim("pad", Some(json!("x".repeat(count))));
    let short = padded(0).len();
    let fitting = (TOKEN_BYTES_MAX - short) * 3 / 4 - 3;
    assert_outcomes([
        text("fitting", padded(fitting), "accepted"),
        text("long", padded(fitting + 10), "token_too_long"),
        text("very long", "a".repeat(1_000_000), "token_too_long"),
        text("very many dots", ".".repeat(TOKEN_BYTES_MAX), "token_malformed"),
    ]);
    assert!(padded(fitting).len() <= TOKEN_BYTES_MAX && padded(fitting + 10).len() > TOKEN_BYTES_MAX);
}

#[test]
fn an_issuer_with_a_secret_takes_nothing_but_its_algorithm() {
    let own = json!({"typ": "JWT", "alg": "EdDSA", "kid": "ed"});
    let for_legacy = json!({"iss": LEGACY, "user_id": 17, "aud": "orders", "exp": NOW + 600});
    let malformed = "token_claim_malformed";
    let short = Key::generate(shared::token::Algorithm::EdDsa, "any");
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

/// The good claims with `member` in place of `exp`, as raw text.
fn with_raw_claim(member: &str) -> String {
    let body = with(claims(), "exp", None).to_string();
    let body = format!("{},{member}}}", body.trim_end_matches('}'));
    WORLD.key().sign_text(&header().to_string(), &body)
}
