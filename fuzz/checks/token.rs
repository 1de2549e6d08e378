//! The token verifier: no bytes make it panic, and it accepts nothing but the good tokens of the table of forged ones, whatever is
//! made of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;
use shared::clock::UtcMicros;
use shared::enforcement::RevocationSet;
use shared::token::{AudienceRule, IssuerRules, KeySet, Trust, TrustedIssuer, verify};

const VECTORS: &str = include_str!("../../shared/tests/vectors/access_tokens.json");

struct World {
    trust: Trust,
    good: BTreeSet<String>,
    now: UtcMicros,
}

static WORLD: LazyLock<World> = LazyLock::new(|| {
    let vectors: Value = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let audience = vec![vectors["audience"].as_str().expect("an audience").to_owned()];
    let issuers = vectors["issuers"].as_object().expect("issuers");
    let trusted = issuers.iter().map(|(iss, keys)| {
        let rules = IssuerRules::gatelog(iss, audience.clone());
        match KeySet::from_jwks(keys.to_string().as_bytes()) {
            Ok(keys) => TrustedIssuer::with_keys(rules, keys),
            Err(_) => TrustedIssuer::without_keys(rules),
        }
    });
    let cases = vectors["cases"].as_array().expect("cases");
    let good = cases.iter().filter(|case| case["outcome"] == "accepted");
    World {
        trust: Trust::new(trusted.collect()),
        good: good
            .map(|case| case["token"].as_str().expect("a token").to_owned())
            .collect(),
        now: UtcMicros::from_seconds(vectors["now"].as_i64().expect("a time")),
    }
});

/// Checks one input.
pub(super) fn token(data: &[u8]) {
    // Key sets come from outside as well.
    drop(KeySet::from_jwks(data));
    let Ok(token) = std::str::from_utf8(data) else {
        return;
    };

    let result = verify(
        token,
        &WORLD.trust,
        AudienceRule::Apis,
        &RevocationSet::default(),
        WORLD.now,
    );

    match result {
        Ok(_) => assert!(
            WORLD.good.contains(token),
            "a token that nobody signed is accepted"
        ),
        Err(rejection) => {
            let told = format!("{:?}", rejection.token).len() + format!("{:?}", rejection.actor).len();
            assert!(told < 64 * 1024, "what strangers sent is bounded");
        }
    }
}
