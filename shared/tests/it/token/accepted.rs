//! What is accepted, and what is read from it.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::RevocationSet;
use shared::event::Identity;
use shared::token::{AccessClaims, Algorithm, AudienceRule, ClaimProfile, Trust, verify};

use super::mint::{
    GATELOG, KIDS, LEGACY, PARTNER, WORLD, claims, good, header, legacy, with, with_claim, with_header,
};
use super::{NOW, outcome, verify_for, verify_now};

#[test]
fn everything_is_read_from_a_good_token() {
    let verified = verify_now(&good()).unwrap();

    assert_eq!(verified.iss, GATELOG);
    assert_eq!(verified.sub, "usr_1");
    assert_eq!(verified.aud, ["orders"]);
    assert_eq!(verified.expires_at, UtcMicros::from_seconds(NOW + 600));
    assert_eq!(verified.issued_at, Some(UtcMicros::from_seconds(NOW)));
    assert_eq!(verified.jti.as_deref(), Some("tok_1"));
    assert_eq!(verified.client_id.as_deref(), Some("cli"));
    assert_eq!(verified.sid.as_deref(), Some("ses_1"));
    assert_eq!(verified.scopes, ["orders:read", "orders:write"]);
    assert_eq!(verified.roles, ["clerk"]);
    assert_eq!(verified.username.as_deref(), Some("ada"));
    assert_eq!(verified.kid.as_deref(), Some("ed"));
    assert_eq!(verified.algorithm, Algorithm::EdDsa);
    assert!(verified.has_scope("orders:read") && !verified.has_scope("orders"));
}

#[test]
fn an_event_names_whom_a_good_token_names() {
    let verified = verify_now(&good()).unwrap();

    let (actor, facts) = (
        verified.actor(),
        verified.facts(UtcMicros::from_seconds(NOW + 42)),
    );

    assert_eq!(actor.identity, Identity::Verified);
    assert_eq!(actor.sub.as_deref(), Some("usr_1"));
    assert_eq!(facts.kid.as_deref(), Some("ed"));
    assert_eq!(facts.alg.as_deref(), Some("EdDSA"));
    assert_eq!(facts.age_s, Some(42));
}

#[test]
fn claims_of_issuers_that_know_no_rfc_9068_are_found_where_their_profile_says() {
    let mapped = |scope: Value| {
        let profile = ClaimProfile::Mapped {
            sub: "user.id".into(),
            roles: Some("realm_access.roles".into()),
            scope: Some("scp".into()),
            client: Some("azp".into()),
        };
        let issuers = WORLD.trust.issuers().iter().cloned().map(|mut issuer| {
            if issuer.rules.iss == PARTNER {
                Arc::make_mut(&mut issuer.rules).profile = profile.clone();
            }
            issuer
        });
        let body = json!({
            "iss": PARTNER, "aud": "orders", "exp": NOW + 600, "user": {"id": 17}, "azp": "shop",
            "realm_access": {"roles": ["clerk"]}, "scp": scope, "scope": "ignored"
        });
        let token = WORLD.partner.sign(&with(header(), "kid", None), &body);
        let now = UtcMicros::from_seconds(NOW);
        verify(
            &token,
            &Trust::new(issuers.collect()),
            AudienceRule::Apis,
            &RevocationSet::default(),
            now,
        )
    };

    for scope in [json!("a b"), json!(["a", "b"])] {
        let verified = mapped(scope).unwrap();
        assert_eq!(
            (verified.sub.as_str(), verified.client_id.as_deref()),
            ("17", Some("shop"))
        );
        assert_eq!(
            (verified.scopes, verified.roles),
            (vec!["a".into(), "b".into()], vec!["clerk".into()])
        );
    }
    assert_eq!(outcome(&mapped(json!({"a": true}))), "token_claim_malformed");
}

#[test]
fn every_kind_of_key_is_accepted() {
    for ((kid, algorithm), key) in KIDS.iter().zip(&WORLD.keys) {
        let head = json!({"typ": "at+jwt", "alg": algorithm.as_str(), "kid": kid});

        let verified = verify_now(&key.sign(&head, &claims())).unwrap();

        assert_eq!(verified.algorithm, *algorithm);
        assert_eq!(verified.kid.as_deref(), Some(*kid));
    }
}

#[test]
fn a_type_is_compared_without_regard_to_case_and_application() {
    for typ in [
        "at+jwt",
        "at+JWT",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ] {
        let result = verify_now(&with_header("typ", Some(json!(typ))));

        assert_eq!(outcome(&result), "accepted", "{typ}");
    }
}

#[test]
fn a_header_that_names_other_keys_is_ignored() {
    for (name, value) in [
        ("jku", json!("http://127.0.0.1:9/jwks")),
        ("x5u", json!("http://127.0.0.1:9/cert")),
        ("jwk", WORLD.stranger.jwk.clone()),
        ("x5c", json!(["MIIB"])),
        ("cty", json!("JWT")),
    ] {
        let verified = verify_now(&with_header(name, Some(value))).unwrap();

        assert_eq!(verified.kid.as_deref(), Some("ed"), "{name}");
    }
}

#[test]
fn a_token_without_kid_is_of_the_only_key_and_names_it() {
    let head = with(header(), "kid", None);
    let token = WORLD
        .partner
        .sign(&head, &with(claims(), "iss", Some(json!(PARTNER))));

    let verified = verify_now(&token).unwrap();

    assert_eq!(verified.kid.as_deref(), Some("ed"));
}

#[test]
fn no_scope_is_no_scope_however_it_is_written() {
    for (scope, expected) in [
        (None, &[][..]),
        (Some(json!("")), &[]),
        (Some(json!("  ")), &[]),
        (Some(json!("a  b")), &["a", "b"]),
    ] {
        let verified = verify_now(&with_claim("scope", scope.clone())).unwrap();

        assert_eq!(verified.scopes, expected, "{scope:?}");
        assert!(!verified.has_scope(""));
    }
}

#[test]
fn a_secret_s_issuer_is_accepted_with_its_own_names_of_claims() {
    let verified = verify_now(&legacy("user_id", Some(json!(17)))).unwrap();

    assert_eq!(verified.iss, LEGACY);
    assert_eq!(verified.sub, "17");
    assert_eq!(verified.roles, ["clerk"]);
    assert_eq!(verified.algorithm, Algorithm::Hs256);
    assert_eq!((verified.jti, verified.issued_at), (None, None));
}

#[test]
fn a_mapped_subject_may_be_a_text_and_roles_a_list_or_absent() {
    let by_text = verify_now(&legacy("user_id", Some(json!("u-17")))).unwrap();
    let by_list = verify_now(&legacy("role", Some(json!(["clerk", "admin"])))).unwrap();
    let without = verify_now(&legacy("role", None)).unwrap();

    assert_eq!(by_text.sub, "u-17");
    assert_eq!(by_list.roles, ["clerk", "admin"]);
    assert_eq!(without.roles, [""; 0]);
}

#[test]
fn an_audience_rule_takes_its_own_audience_only() {
    let (gatelog, apis, either) = (AudienceRule::Gatelog, AudienceRule::Apis, AudienceRule::Either);
    for (aud, rule, expected) in [
        (json!("gatelog"), gatelog, "accepted"),
        (json!("gatelog"), apis, "token_audience_refused"),
        (json!("gatelog"), either, "accepted"),
        (json!("orders"), gatelog, "token_audience_refused"),
        (json!("orders"), apis, "accepted"),
        (json!("orders"), either, "accepted"),
        (json!(["orders", "gatelog"]), gatelog, "accepted"),
        (json!("billing"), either, "token_audience_refused"),
    ] {
        let result = verify_for(rule, &with_claim("aud", Some(aud.clone())));

        assert_eq!(outcome(&result), expected, "{aud} for {rule:?}");
    }
}

#[test]
fn nobody_but_gatelog_speaks_for_gatelog() {
    let partner = |aud: Value| {
        let claims = with(with(claims(), "iss", Some(json!(PARTNER))), "aud", Some(aud));
        WORLD.partner.sign(&header(), &claims)
    };
    for rule in [AudienceRule::Gatelog, AudienceRule::Apis, AudienceRule::Either] {
        let result = verify_for(rule, &partner(json!("gatelog")));

        assert_eq!(outcome(&result), "token_audience_refused", "{rule:?}");
    }
    assert_eq!(outcome(&verify_now(&partner(json!("orders")))), "accepted");
}

fn access_claims() -> impl Strategy<Value = AccessClaims> {
    let texts = (
        ".{1,40}",
        ".{1,40}",
        ".{1,40}",
        option::of(".{1,40}"),
        option::of(".{1,40}"),
    );
    let lists = (
        vec("[!-~]{1,20}", 0..4),
        vec(".{1,20}", 0..4),
        vec(".{1,9}", 0..3),
    );
    let times = (-5_i64..600, -5_i64..1_000_000, any::<Option<i64>>());
    (texts, lists, times).prop_map(
        |(texts, (scopes, roles, amr), (age, lifetime, auth_time))| AccessClaims {
            iss: GATELOG.to_owned(),
            sub: texts.0,
            aud: vec!["orders".to_owned()],
            exp: NOW + lifetime.max(-4),
            iat: NOW - age,
            jti: texts.1,
            client_id: texts.2,
            sid: texts.3,
            scope: scopes.join(" "),
            roles,
            username: texts.4,
            auth_time,
            acr: amr.first().cloned(),
            amr,
        },
    )
}

proptest! {
    #[test]
    fn what_was_minted_is_accepted_and_read_as_it_was(minted in access_claims(), which in 0_usize..3) {
        let (kid, algorithm) = KIDS[which];
        let head = json!({"typ": "at+jwt", "alg": algorithm.as_str(), "kid": kid});
        let token = WORLD.keys[which].sign(&head, &serde_json::to_value(&minted).unwrap());

        let verified = verify_now(&token).unwrap();

        prop_assert_eq!(verified.sub, minted.sub);
        prop_assert_eq!(verified.aud, minted.aud);
        prop_assert_eq!(verified.jti, Some(minted.jti));
        prop_assert_eq!(verified.client_id, Some(minted.client_id));
        prop_assert_eq!(verified.sid, minted.sid);
        prop_assert_eq!(verified.scopes.join(" "), minted.scope);
        prop_assert_eq!(verified.roles, minted.roles);
        prop_assert_eq!(verified.username, minted.username);
        prop_assert_eq!(verified.expires_at, UtcMicros::from_seconds(minted.exp));
        prop_assert_eq!(verified.issued_at, Some(UtcMicros::from_seconds(minted.iat)));
    }
}
