//! No change of a token, however small, leaves a token that is accepted.

use proptest::prelude::*;
use serde_json::json;

use super::mint::{KIDS, WORLD, claims, legacy};
use super::verify_now;

/// A good token of each algorithm.
fn tokens() -> Vec<String> {
    let signed = KIDS.iter().zip(&WORLD.keys).map(|((kid, algorithm), key)| {
        let head = json!({"typ": "at+jwt", "alg": algorithm.as_str(), "kid": kid});
        key.sign(&head, &claims())
    });
    signed.chain([legacy("user_id", Some(json!(17)))]).collect()
}

fn assert_refused(changed: &str, what: &str) {
    assert!(verify_now(changed).is_err(), "{what} is accepted: {changed}");
}

#[test]
fn no_token_cut_short_is_accepted() {
    for token in tokens() {
        assert!(verify_now(&token).is_ok());
        for end in 0..token.len() {
            assert_refused(&token[..end], "the beginning");
            assert_refused(&token[token.len() - end..], "the end");
        }
    }
}

#[test]
fn no_token_with_a_character_less_is_accepted() {
    for token in tokens() {
        for at in 0..token.len() {
            assert_refused(&format!("{}{}", &token[..at], &token[at + 1..]), "one less");
        }
    }
}

#[test]
fn no_token_with_a_character_more_or_another_one_is_accepted() {
    // Neighbours in the alphabet differ in one bit; the others are what lenient decoders skip or map.
    for token in tokens() {
        for (at, own) in token.char_indices() {
            let neighbour = char::from(token.as_bytes()[at] ^ 1);
            for other in [neighbour, 'A', '_', '=', '.', ' ', '\n', '+'] {
                assert_refused(&format!("{}{other}{}", &token[..at], &token[at..]), "one more");
                if other != own {
                    assert_refused(
                        &format!("{}{other}{}", &token[..at], &token[at + 1..]),
                        "another one",
                    );
                }
            }
        }
        assert_refused(&format!("{token}A"), "one more at the end");
    }
}

#[test]
fn no_parts_of_two_tokens_make_one() {
    let tokens = tokens();
    let other = WORLD.key().sign(
        &json!({"typ": "at+jwt", "alg": "EdDSA", "kid": "ed"}),
        &super::mint::with(claims(), "sub", Some(json!("usr_2"))),
    );
    let (one, two): (Vec<_>, Vec<_>) = (tokens[0].split('.').collect(), other.split('.').collect());

    assert_eq!(one[0], two[0]);
    assert_refused(
        &format!("{}.{}.{}", one[0], two[1], one[2]),
        "another one's claims",
    );
    assert_refused(
        &format!("{}.{}.{}", one[0], one[1], two[2]),
        "another one's signature",
    );
}

proptest! {
    #[test]
    fn no_random_change_is_accepted(which in 0_usize..4, at in any::<usize>(), character: char, count in 0_usize..3) {
        let token = &tokens()[which];
        let at = at % token.len();
        let changed = format!("{}{character}{}", &token[..at], token.get(at + count..).unwrap_or_default());
        prop_assume!(changed != *token);

        prop_assert!(verify_now(&changed).is_err(), "{}", changed);
    }

    #[test]
    fn no_text_makes_the_verifier_panic(text in "[A-Za-z0-9_.-]{0,200}|.{0,60}") {
        prop_assert!(verify_now(&text).is_err());
    }
}
