//! The guard of a running service: it decides as [`super::verify`] does, and refuses while it cannot know.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{ManualClock, UtcMicros};
use shared::enforcement::{BLIND_MAX, Entry, Page, Target};
use shared::event::Identity;
use shared::guard::{Guard, IfBlind};
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
    assert!(guard.has_keys() && !guard.has_all_keys());

    guard.set_keys(UNREACHED, jwks(std::slice::from_ref(&WORLD.partner)));
    assert!(guard.has_all_keys());
    assert!(guard.knows_key(UNREACHED, "ed") && !guard.knows_key(UNREACHED, "ec"));
    assert_eq!(admit(&guard), "accepted");

    // The same key ids with other keys: an issuer that lost its own.
    guard.set_keys(GATELOG, jwks(std::slice::from_ref(&WORLD.stranger)));
    assert_eq!(admit(&guard), "token_signature_invalid");
}

#[test]
fn a_blind_guard_lets_in_where_it_may_what_is_not_known_to_be_revoked_and_says_so() {
    let (guard, clock) = guard();
    let admit = |token: &str| guard.admit_on(token, AudienceRule::Apis, IfBlind::Admit);
    // Nothing was heard since the process began: what was revoked before is not known.
    assert_eq!(outcome(&admit(&good())), "revocations_unknown");

    guard.hear(
        &page(false, vec![revocation(1, Target::Sid("ses_2".into()))]),
        guard.clock().now(),
    );
    assert!(!admit(&good()).unwrap().is_blind);
    clock.advance(BLIND_MAX + Duration::from_micros(1));

    assert!(admit(&good()).unwrap().is_blind);
    let revoked = with_claim("sid", Some("ses_2".into()));
    assert_eq!(outcome(&admit(&revoked)), "token_revoked");
    assert_eq!(
        super::outcome(&guard.admit(&good(), AudienceRule::Apis)),
        "revocations_unknown"
    );
}

#[test]
fn a_guard_is_as_patient_with_silence_as_it_is_told_to_be() {
    let clock = Arc::new(ManualClock::at(UtcMicros::from_seconds(NOW)));
    let guard = Guard::new(WORLD.trust.clone(), clock.clone()).with_blind_max(Duration::from_secs(30));
    guard.hear(&page(false, vec![]), guard.clock().now());

    clock.advance(Duration::from_secs(30));
    assert_eq!(guard.revocation_lag(), Some(Duration::from_secs(30)));
    assert_eq!(admit(&guard), "accepted");
    clock.advance(Duration::from_micros(1));

    assert_eq!(admit(&guard), "revocations_unknown");
}

/// The code of what would be said against a token that was let in, or `none`.
fn objection(guard: &Guard, admitted: &shared::guard::Admitted) -> &'static str {
    guard
        .objection(admitted)
        .map_or("none", |objection| objection.refusal.code())
}

#[test]
fn who_was_let_in_is_objected_to_as_soon_as_it_would_be_refused() {
    let (guard, clock) = guard();
    guard.hear(&page(false, vec![]), guard.clock().now());
    let changes = guard.changes();
    let admitted = guard.admit(&good(), AudienceRule::Apis).unwrap();
    assert_eq!(objection(&guard, &admitted), "none");

    // Neither another key beside it nor silence says anything against it.
    guard.set_keys(GATELOG, jwks(&WORLD.keys[..2]));
    clock.advance(BLIND_MAX * 2);
    assert_eq!(objection(&guard, &admitted), "none");

    clock.advance(Duration::from_mins(10));
    assert_eq!(objection(&guard, &admitted), "token_expired");
    let revocation = Entry {
        expires_at: UtcMicros::from_seconds(NOW + 6000),
        ..revocation(1, Target::Kid("ed".into()))
    };
    guard.hear(&page(false, vec![revocation]), guard.clock().now());
    assert_eq!(objection(&guard, &admitted), "token_revoked");
    assert!(changes.has_changed().unwrap());
    guard.set_keys(GATELOG, jwks(&WORLD.keys[1..]));
    assert_eq!(objection(&guard, &admitted), "token_key_unknown");
    guard.set_trust(&Trust::default(), &[]);
    assert_eq!(objection(&guard, &admitted), "token_issuer_unknown");
}
