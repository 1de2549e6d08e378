//! Claims that are missing, foreign, of another type, or out of their time.

use serde_json::{Value, json};

use super::{assert_outcomes, claim, text};
use crate::token::NOW;
use crate::token::mint::{GATELOG, LEGACY, PARTNER, UNREACHED, WORLD, claims, header, with, with_claim};

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

/// The good claims with `member` in place of `exp`, as raw text.
fn with_raw_claim(member: &str) -> String {
    let body = with(claims(), "exp", None).to_string();
    let body = format!("{},{member}}}", body.trim_end_matches('}'));
    WORLD.key().sign_text(&header().to_string(), &body)
}
