//! Every forged or malformed token we can think of, with the code of its refusal.

mod claim;
mod form;
mod header;
mod signature;

use std::time::{Duration, Instant};

use serde_json::Value;

use super::mint::{with_claim, with_header};
use super::{outcome, vectors, verify_now};

/// Checks a table of names, tokens and codes, and that no refusal takes long.
fn assert_outcomes(table: impl IntoIterator<Item = (String, String, &'static str)>) {
    for (name, token, expected) in table {
        let started = Instant::now();

        let result = verify_now(&token);

        assert_eq!(outcome(&result), expected, "{name}");
        assert!(started.elapsed() < Duration::from_secs(1), "{name} took too long");
        vectors::take_down(&name, &token, expected);
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
