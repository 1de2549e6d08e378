//! A token that was verified before is accepted by the same rules as one that was not.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;
use shared::clock::{ManualClock, UtcMicros};
use shared::enforcement::{Entry, Page, Target};
use shared::guard::Guard;
use shared::runtime::metrics::Metrics;
use shared::token::{AudienceRule, Trust};

use super::mint::{GATELOG, PARTNER, WORLD, claims, good, header, jwks, with, with_claim};
use super::{NOW, outcome};

struct Remembering {
    guard: Arc<Guard>,
    clock: Arc<ManualClock>,
    metrics: Metrics,
}

impl Remembering {
    fn new() -> Self {
        Self::bounded(1024 * 1024)
    }

    fn bounded(bytes_max: u64) -> Self {
        let clock = Arc::new(ManualClock::at(UtcMicros::from_seconds(NOW)));
        let guard = Guard::new(WORLD.trust.clone(), clock.clone());
        let guard = Arc::new(guard.with_token_cache(bytes_max));
        guard.hear(&Page::default(), guard.clock().now());
        let metrics = Metrics::new();
        shared::guard::metrics::watch(&metrics, "test", &guard);
        Self {
            guard,
            clock,
            metrics,
        }
    }

    fn admit(&self, token: &str) -> &'static str {
        outcome(&self.guard.admit(token, AudienceRule::Apis))
    }

    fn hear(&self, entries: Vec<Entry>) {
        let cursor = entries.last().map_or(self.guard.cursor(), |entry| entry.cursor);
        let page = Page {
            entries,
            cursor,
            more: false,
        };
        self.guard.hear(&page, self.guard.clock().now());
    }

    /// What a metric says.
    fn reading(&self, name: &str) -> u64 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let text = runtime.unwrap().block_on(self.metrics.read()).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("test_guard_token_cache_{name} ")));
        line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
            .parse()
            .unwrap()
    }

    fn hits(&self) -> u64 {
        self.reading("hits_total")
    }
}

#[test]
fn a_token_is_verified_once() {
    let remembering = Remembering::new();

    for _ in 0..3 {
        assert_eq!(remembering.admit(&good()), "accepted");
    }

    assert_eq!(remembering.hits(), 2);
    assert_eq!(remembering.reading("misses_total"), 1);
    assert_eq!(remembering.reading("tokens"), 1);
    assert!(remembering.reading("bytes") > 1_000);
}

#[test]
fn without_room_every_token_is_verified_each_time() {
    let remembering = Remembering::bounded(0);

    for _ in 0..3 {
        assert_eq!(remembering.admit(&good()), "accepted");
    }

    assert_eq!(remembering.hits(), 0);
    assert_eq!(remembering.reading("tokens"), 0);
}

#[test]
fn what_is_read_of_a_token_is_the_same_the_second_time() {
    let remembering = Remembering::new();
    let token = good();

    let [first, second] = [(); 2].map(|()| remembering.guard.admit(&token, AudienceRule::Apis).unwrap());

    assert_eq!(*first, *second);
    assert_eq!(second.sub, "usr_1");
    assert_eq!(second.scopes, ["orders:read", "orders:write"]);
}

#[test]
fn what_was_refused_is_not_remembered() {
    let remembering = Remembering::new();
    let early = with_claim("nbf", Some(json!(NOW + 60)));
    for token in [&WORLD.stranger.sign(&header(), &claims()), &early, "nonsense"] {
        assert_ne!(remembering.admit(token), "accepted");
    }

    assert_eq!(remembering.reading("tokens"), 0);
    remembering.clock.advance(Duration::from_mins(1));
    remembering.hear(vec![]);
    assert_eq!(remembering.admit(&early), "accepted");
}

#[test]
fn a_token_that_is_revoked_after_it_was_remembered_is_refused_at_once() {
    for target in [
        Target::Jti("tok_1".into()),
        Target::Sid("ses_1".into()),
        Target::Sub("usr_1".into()),
        Target::ClientId("cli".into()),
        Target::Kid("ed".into()),
    ] {
        let remembering = Remembering::new();
        assert_eq!(remembering.admit(&good()), "accepted");

        remembering.hear(vec![Entry {
            cursor: 1,
            target: target.clone(),
            not_before: UtcMicros::from_seconds(NOW),
            expires_at: UtcMicros::from_seconds(NOW + 3_600),
            lifted: false,
            decision: None,
        }]);

        assert_eq!(remembering.admit(&good()), "token_revoked", "{target:?}");
    }
}

#[test]
fn a_token_that_expires_while_it_is_remembered_is_refused_and_forgotten() {
    let remembering = Remembering::new();
    assert_eq!(remembering.admit(&good()), "accepted");

    remembering.clock.advance(Duration::from_secs(604));
    remembering.hear(vec![]);
    assert_eq!(remembering.admit(&good()), "accepted");
    remembering.clock.advance(Duration::from_secs(1));
    remembering.hear(vec![]);

    assert_eq!(remembering.admit(&good()), "token_expired");
    assert_eq!(remembering.reading("tokens"), 0);
}

#[test]
fn a_token_is_remembered_for_no_audience() {
    let remembering = Remembering::new();
    assert_eq!(remembering.admit(&good()), "accepted");

    let own = remembering.guard.admit(&good(), AudienceRule::Gatelog);

    assert_eq!(outcome(&own), "token_audience_refused");
    assert_eq!(remembering.hits(), 1);
}

#[test]
fn a_blind_guard_refuses_what_it_remembers() {
    let remembering = Remembering::new();
    assert_eq!(remembering.admit(&good()), "accepted");

    remembering.clock.advance(Duration::from_secs(6));

    assert_eq!(remembering.admit(&good()), "revocations_unknown");
}

#[test]
fn a_token_is_forgotten_with_its_key() {
    let remembering = Remembering::new();
    let partner = WORLD
        .partner
        .sign(&header(), &with(claims(), "iss", Some(json!(PARTNER))));
    assert_eq!(remembering.admit(&good()), "accepted");
    assert_eq!(remembering.admit(&partner), "accepted");

    remembering.guard.set_keys(GATELOG, jwks(&WORLD.keys[1..]));

    assert_eq!(remembering.reading("tokens"), 1);
    assert_eq!(remembering.admit(&good()), "token_key_unknown");
    assert_eq!(remembering.admit(&partner), "accepted");
}

#[test]
fn a_key_set_that_is_as_it_was_makes_nothing_be_verified_again() {
    let remembering = Remembering::new();
    assert_eq!(remembering.admit(&good()), "accepted");

    remembering.guard.set_keys(GATELOG, jwks(&WORLD.keys));

    assert_eq!(remembering.admit(&good()), "accepted");
    assert_eq!(remembering.hits(), 1);
}

#[test]
fn another_trust_forgets_what_rested_on_the_former() {
    let remembering = Remembering::new();
    assert_eq!(remembering.admit(&good()), "accepted");

    remembering.guard.set_trust(&Trust::default(), &[]);

    assert_eq!(remembering.reading("tokens"), 0);
    assert_eq!(remembering.admit(&good()), "token_issuer_unknown");
}

proptest! {
    #[test]
    fn no_token_with_another_byte_is_taken_for_one_that_is_remembered(at in any::<prop::sample::Index>(), other: u8) {
        let remembering = Remembering::new();
        let token = good();
        prop_assert_eq!(remembering.admit(&token), "accepted");
        let mut bytes = token.clone().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = other;
        let changed = String::from_utf8_lossy(&bytes).into_owned();
        prop_assume!(changed != token);

        prop_assert_ne!(remembering.admit(&changed), "accepted");
        prop_assert_eq!(remembering.hits(), 0);
    }
}
