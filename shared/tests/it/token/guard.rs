//! The guard of a running service: it decides as [`super::verify`] does, and refuses while it cannot know.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{ManualClock, UtcMicros};
use shared::enforcement::{BLIND_MAX, Entry, Page, Target};
use shared::event::Identity;
use shared::guard::Guard;
use shared::token::{AudienceRule, Trust, TrustedIssuer};

use super::mint::{GATELOG, UNREACHED, WORLD, good, jwks, with_claim};
use super::{NOW, outcome};

fn guard() -> (Guard, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(UtcMicros::from_seconds(NOW)));
    (Guard::new(WORLD.trust.clone(), clock.clone()), clock)
}

fn page(more: bool, entries: Vec<Entry>) -> Page {
    Page {
        cursor: entries.last().map_or(0, |entry| entry.cursor),
        entries,
        more,
    }
}

fn revocation(cursor: i64, target: Target) -> Entry {
    Entry {
        cursor,
        target,
        not_before: UtcMicros::from_seconds(NOW),
        expires_at: UtcMicros::from_seconds(NOW + 600),
        lifted: false,
        decision: None,
    }
}

fn admit(guard: &Guard) -> &'static str {
    outcome(&guard.admit(&good(), AudienceRule::Apis))
}

#[test]
fn a_guard_refuses_until_it_has_heard_of_revocations() {
    let (guard, _) = guard();
    assert!(guard.is_blind());
    assert_eq!(admit(&guard), "revocations_unknown");

    guard.hear(&page(false, vec![]), guard.clock().now());

    assert_eq!(admit(&guard), "accepted");
}

#[test]
fn a_guard_refuses_while_more_revocations_are_to_come() {
    let (guard, _) = guard();
    guard.hear(
        &page(true, vec![revocation(1, Target::Sid("other".into()))]),
        guard.clock().now(),
    );
    assert_eq!(admit(&guard), "revocations_unknown");
    assert_eq!(guard.cursor(), 1);

    guard.hear(
        &page(false, vec![revocation(2, Target::Sid("ses_1".into()))]),
        guard.clock().now(),
    );

    assert_eq!(admit(&guard), "token_revoked");
}

#[test]
fn a_guard_is_blind_after_five_seconds_without_word() {
    let (guard, clock) = guard();
    guard.hear(&page(false, vec![]), guard.clock().now());

    clock.advance(BLIND_MAX);
    assert_eq!(admit(&guard), "accepted");
    clock.advance(Duration::from_micros(1));
    assert_eq!(admit(&guard), "revocations_unknown");
    guard.hear(&page(false, vec![]), guard.clock().now());
    assert_eq!(admit(&guard), "accepted");
}

#[test]
fn a_guard_sees_as_of_the_moment_at_which_it_asked() {
    let (guard, clock) = guard();
    let asked_at = guard.clock().now();
    clock.advance(BLIND_MAX);
    guard.hear(&page(false, vec![]), asked_at);
    assert_eq!(admit(&guard), "accepted");

    clock.advance(Duration::from_micros(1));

    assert_eq!(admit(&guard), "revocations_unknown");
}

#[test]
fn a_clock_that_was_put_back_makes_a_guard_blind_until_it_hears_again() {
    let (guard, _) = guard();
    let ahead = guard.clock().now().plus(Duration::from_hours(1));
    guard.hear(&page(false, vec![]), ahead);
    assert_eq!(admit(&guard), "revocations_unknown");

    guard.hear(&page(false, vec![]), guard.clock().now());

    assert_eq!(admit(&guard), "accepted");
}

#[test]
fn another_trust_keeps_the_keys_of_those_that_did_not_change_and_of_nobody_else() {
    let (guard, _) = guard();
    guard.hear(&page(false, vec![]), guard.clock().now());
    let without_keys = |trust: &Trust| {
        let issuers = trust.issuers().iter().map(|issuer| TrustedIssuer {
            keys: None,
            ..issuer.clone()
        });
        Trust::new(issuers.collect())
    };

    guard.set_trust(&without_keys(&WORLD.trust), &[GATELOG.to_owned()]);
    assert_eq!(admit(&guard), "accepted");
    guard.set_trust(&without_keys(&WORLD.trust), &["https://other.example".to_owned()]);
    assert_eq!(admit(&guard), "keys_unavailable");
    guard.set_trust(&Trust::default(), &[GATELOG.to_owned()]);
    assert_eq!(admit(&guard), "token_issuer_unknown");
}

#[test]
fn a_blind_guard_still_tells_a_bad_token_from_a_good_one() {
    let (guard, _) = guard();

    let bad = guard.admit(&with_claim("exp", Some(0.into())), AudienceRule::Apis);
    let good = guard.admit(&good(), AudienceRule::Apis).unwrap_err();

    assert_eq!(outcome(&bad), "token_expired");
    assert_eq!(good.actor.identity, Identity::Verified);
    assert_eq!(good.actor.sub.as_deref(), Some("usr_1"));
}

#[test]
fn new_keys_of_one_issuer_are_in_force_at_once_and_leave_the_others() {
    let (guard, _) = guard();
    guard.hear(&page(false, vec![]), guard.clock().now());
    assert!(!guard.has_all_keys());

    guard.set_keys(UNREACHED, jwks(std::slice::from_ref(&WORLD.partner)));
    assert!(guard.has_all_keys());
    assert!(guard.knows_key(UNREACHED, "ed") && !guard.knows_key(UNREACHED, "ec"));
    assert_eq!(admit(&guard), "accepted");

    // The same key ids with other keys: an issuer that lost its own.
    guard.set_keys(GATELOG, jwks(std::slice::from_ref(&WORLD.stranger)));
    assert_eq!(admit(&guard), "token_signature_invalid");
}
