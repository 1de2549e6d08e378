//! Tokens that are no compact JWS of JSON objects, or not in the one spelling.

use serde_json::json;
use shared::token::TOKEN_BYTES_MAX;

use super::{assert_outcomes, text};
use crate::token::mint::{WORLD, claims, encode, good, header, with_claim};

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
