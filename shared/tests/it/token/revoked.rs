//! A token that verifies is refused once it, its session, subject, client or key is revoked.

use serde_json::json;
use shared::clock::UtcMicros;
use shared::enforcement::{Entry, Page, RevocationSet, Target};
use shared::event::Identity;
use shared::token::{AudienceRule, Refusal, Rejection, Verified, verify};

use super::mint::{PARTNER, WORLD, claims, good, header, with, with_claim};
use super::{NOW, outcome};

fn verify_after(target: Target, at_second: i64, token: &str) -> Result<Verified, Box<Rejection>> {
    let mut revoked = RevocationSet::default();
    revoked.apply(Page {
        entries: vec![Entry {
            cursor: 1,
            target,
            not_before: UtcMicros::from_seconds(at_second),
            expires_at: UtcMicros::from_seconds(NOW + 3_600),
            lifted: false,
            decision: None,
        }],
        cursor: 1,
        more: false,
    });
    let now = UtcMicros::from_seconds(NOW);
    verify(token, &WORLD.trust, AudienceRule::Apis, &revoked, now)
}

#[test]
fn each_kind_of_revocation_refuses_its_tokens() {
    for (target, expected) in [
        (Target::Jti("tok_1".into()), "token_revoked"),
        (Target::Sid("ses_1".into()), "token_revoked"),
        (Target::Sub("usr_1".into()), "token_revoked"),
        (Target::ClientId("cli".into()), "token_revoked"),
        (Target::Kid("ed".into()), "token_revoked"),
        (Target::Jti("tok_2".into()), "accepted"),
        (Target::Sid("tok_1".into()), "accepted"),
        (Target::Sub("ada".into()), "accepted"),
        (Target::Kid("ec".into()), "accepted"),
    ] {
        let result = verify_after(target.clone(), NOW, &good());

        assert_eq!(outcome(&result), expected, "{target:?}");
    }
}

#[test]
fn each_kind_of_block_refuses_its_tokens_with_its_own_reason_and_names_the_decision() {
    for (target, expected) in [
        (Target::Subject("usr_1".into()), "subject_blocked"),
        (Target::Session("ses_1".into()), "session_blocked"),
        (Target::Token("tok_1".into()), "token_blocked"),
        (Target::StepUp("usr_1".into()), "reauthentication_required"),
    ] {
        let result = verify_after(target, NOW, &good());

        assert_eq!(outcome(&result), expected);
        assert_eq!(result.unwrap_err().decision.as_deref(), Some("enf_1"));
    }
}

#[test]
fn who_is_to_sign_in_again_is_let_in_by_a_sign_in_and_not_by_a_refresh() {
    let after_order = |auth_time: i64| {
        let token = with_claim("auth_time", Some(json!(auth_time)));
        outcome(&verify_after(Target::StepUp("usr_1".into()), NOW - 100, &token))
    };

    assert_eq!(after_order(NOW - 1_000), "reauthentication_required");
    assert_eq!(after_order(NOW - 100), "reauthentication_required");
    assert_eq!(after_order(NOW - 99), "accepted");
    // What does not say when it signed in, such as a machine, has done so when its token was issued.
    let order = |at| outcome(&verify_after(Target::StepUp("usr_1".into()), at, &good()));
    assert_eq!(order(NOW), "reauthentication_required");
    assert_eq!(order(NOW - 1_000), "accepted");
}

#[test]
fn a_subject_that_signs_in_again_is_accepted() {
    let later = with_claim("iat", Some(json!(NOW - 9)));
    let earlier = with_claim("iat", Some(json!(NOW - 10)));
    let revocation = || Target::Sub("usr_1".into());

    assert_eq!(outcome(&verify_after(revocation(), NOW - 10, &later)), "accepted");
    assert_eq!(
        outcome(&verify_after(revocation(), NOW - 10, &earlier)),
        "token_revoked"
    );
}

#[test]
fn another_issuer_s_tokens_are_not_those_that_auth_service_revokes() {
    let body = with(claims(), "iss", Some(json!(PARTNER)));
    let token = WORLD.partner.sign(&with(header(), "kid", None), &body);

    for target in [
        Target::Jti("tok_1".into()),
        Target::Sid("ses_1".into()),
        Target::Sub("usr_1".into()),
        Target::ClientId("cli".into()),
        Target::Kid("ed".into()),
    ] {
        assert_eq!(outcome(&verify_after(target, NOW, &token)), "accepted");
    }
}

#[test]
fn a_revoked_token_s_identity_is_verified() {
    let rejection = verify_after(Target::Jti("tok_1".into()), NOW, &good()).unwrap_err();

    assert_eq!(rejection.refusal, Refusal::Revoked);
    assert_eq!(rejection.actor.identity, Identity::Verified);
    assert_eq!(rejection.actor.sid.as_deref(), Some("ses_1"));
}
