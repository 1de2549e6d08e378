//! Tokens with what is decided of them, in a file: verifiers in other languages are held to the same table.
//!
//! The file is made of every table that [`super::forged`] checks. Keys are made anew for each run of these tests, so that the
//! file is another one each time that it is written, and says the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::RevocationSet;
use shared::token::{AudienceRule, IssuerRules, KeySet, TOKEN_BYTES_MAX, Trust, TrustedIssuer, verify};

use super::mint::{GATELOG, LEGACY, PARTNER, UNREACHED, WORLD};
use super::{NOW, outcome};

const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/access_tokens.json");

/// Set to write the file anew: `UPDATE_VECTORS=1 cargo test -p shared --test it token::forged`.
const UPDATE: &str = "UPDATE_VECTORS";

/// Longer ones are refused for their length whatever else they are, and one of them is enough.
const LENGTH_MAX: usize = TOKEN_BYTES_MAX + 64;

#[derive(Deserialize)]
struct Vectors {
    now: i64,
    audience: String,
    issuers: BTreeMap<String, Option<Value>>,
    cases: Vec<Case>,
}

#[derive(Clone, Deserialize)]
struct Case {
    test: String,
    name: String,
    token: String,
    outcome: String,
}

/// What the tests of this run have checked so far, by test.
static CHECKED: Mutex<BTreeMap<String, Vec<Case>>> = Mutex::new(BTreeMap::new());

/// Takes down a case that was checked, if the file is to be written.
#[expect(
    clippy::disallowed_methods,
    reason = "the variable is for whoever runs the tests, and no setting"
)]
pub(super) fn take_down(name: &str, token: &str, outcome: &str) {
    // Secrets that are shared are an affair of the door; what is in this file is published.
    if std::env::var_os(UPDATE).is_none() || token.len() > LENGTH_MAX || names_issuer(token, LEGACY) {
        return;
    }
    let thread = std::thread::current();
    let test = thread.name().and_then(|path| path.rsplit("::").next()).unwrap();
    let case = Case {
        test: test.to_owned(),
        name: name.to_owned(),
        token: token.to_owned(),
        outcome: outcome.to_owned(),
    };
    let mut checked = CHECKED.lock().unwrap();
    checked.entry(case.test.clone()).or_default().push(case);
    std::fs::write(PATH, written(checked.values().flatten())).unwrap();
}

fn names_issuer(token: &str, issuer: &str) -> bool {
    let claims = token
        .split('.')
        .nth(1)
        .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    claims
        .and_then(|claims| serde_json::from_slice::<Value>(&claims).ok())
        .is_some_and(|claims| claims["iss"] == issuer)
}

/// One case a line.
fn written<'c>(cases: impl Iterator<Item = &'c Case>) -> String {
    let keys: Vec<_> = WORLD.keys.iter().map(|key| &key.jwk).collect();
    let issuers = json!({
        GATELOG: { "keys": keys },
        PARTNER: { "keys": [WORLD.partner.jwk] },
        UNREACHED: null,
    });
    let mut text =
        format!("{{\n\"now\": {NOW},\n\"audience\": \"orders\",\n\"issuers\": {issuers},\n\"cases\": [");
    for (index, case) in cases.enumerate() {
        let separator = if index == 0 { "" } else { "," };
        let Case {
            test,
            name,
            token,
            outcome,
        } = case;
        let line = json!({"test": test, "name": name, "outcome": outcome, "token": token});
        write!(text, "{separator}\n{line}").unwrap();
    }
    text + "\n]\n}\n"
}

#[test]
fn the_file_says_what_is_decided() {
    let vectors: Vectors = serde_json::from_str(&std::fs::read_to_string(PATH).unwrap()).unwrap();
    let issuers = vectors.issuers.iter().map(|(iss, keys)| {
        let rules = IssuerRules {
            is_gatelog: iss == GATELOG,
            ..IssuerRules::gatelog(iss, vec![vectors.audience.clone()])
        };
        match keys {
            Some(keys) => {
                TrustedIssuer::with_keys(rules, KeySet::from_jwks(keys.to_string().as_bytes()).unwrap())
            }
            None => TrustedIssuer::without_keys(rules),
        }
    });
    let trust = Trust::new(issuers.collect());
    assert!(vectors.cases.len() > 300, "{}", vectors.cases.len());

    for case in vectors.cases {
        let result = verify(
            &case.token,
            &trust,
            AudienceRule::Apis,
            &RevocationSet::default(),
            UtcMicros::from_seconds(vectors.now),
        );

        assert_eq!(outcome(&result), case.outcome, "{}: {}", case.test, case.name);
    }
}
