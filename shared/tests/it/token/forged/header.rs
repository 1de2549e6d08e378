//! Headers that must not be believed.

use serde_json::{Value, json};

use super::{assert_outcomes, headers, text};
use crate::token::NOW;
use crate::token::mint::{GATELOG, WORLD, header, with, with_header};

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
