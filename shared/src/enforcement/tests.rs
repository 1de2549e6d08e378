//! Which token is refused, by what, and until when.

use crate::clock::UtcMicros;

use super::*;

fn entry(cursor: i64, target: Target, at_second: i64) -> Entry {
    Entry {
        cursor,
        target,
        not_before: UtcMicros::from_seconds(at_second),
        expires_at: UtcMicros::from_seconds(at_second + 600),
        lifted: false,
        decision: None,
    }
}

#[test]
fn a_block_holds_until_it_expires_or_is_lifted_in_whatever_order_that_is_heard() {
    let block = |cursor, net: &str, lifted| Entry {
        lifted,
        ..entry(cursor, Target::Address(net.parse().unwrap()), 100)
    };
    let at = UtcMicros::from_seconds;
    let is_blocked =
        |set: &RevocationSet, ip: &str, now| set.address_block(ip.parse().unwrap(), at(now)).is_some();
    let set = set_of(vec![
        block(1, "192.0.2.0/24", false),
        block(2, "2001:db8::/32", false),
    ]);

    for ip in ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8:1::1"] {
        assert!(is_blocked(&set, ip, 200), "{ip}");
        assert!(!is_blocked(&set, ip, 700), "{ip}");
    }
    assert!(!is_blocked(&set, "192.0.3.9", 200) && !is_blocked(&set, "2001:db9::1", 200));

    let lifted = set_of(vec![
        block(1, "192.0.2.0/24", false),
        block(3, "192.0.2.0/24", true),
    ]);
    let reversed = set_of(vec![
        block(3, "192.0.2.0/24", true),
        block(1, "192.0.2.0/24", false),
    ]);
    assert!(!is_blocked(&lifted, "192.0.2.9", 200) && !is_blocked(&reversed, "192.0.2.9", 200));
    let again = set_of(vec![
        block(3, "192.0.2.0/24", true),
        block(4, "192.0.2.0/24", false),
    ]);
    assert!(is_blocked(&again, "192.0.2.9", 200));
}

#[test]
fn a_block_of_a_subject_a_session_or_a_token_is_for_a_time_and_names_its_decision() {
    let named = |cursor, target| Entry {
        decision: Some(format!("blk_{cursor}")),
        ..entry(cursor, target, 100)
    };
    let token = Subject {
        jti: Some("t"),
        sid: Some("s"),
        sub: "u",
        issued_at: Some(UtcMicros::from_seconds(150)),
        ..Subject::default()
    };
    for (target, cause) in [
        (Target::Subject("u".into()), BanCause::SubjectBlocked),
        (Target::Session("s".into()), BanCause::SessionBlocked),
        (Target::Token("t".into()), BanCause::TokenBlocked),
        (Target::StepUp("u".into()), BanCause::StepUpRequired),
    ] {
        let set = set_of(vec![named(1, target.clone())]);
        let lifted = set_of(vec![
            named(1, target.clone()),
            Entry {
                lifted: true,
                ..named(2, target)
            },
        ]);
        let ban = |set: &RevocationSet, second| set.ban(&token, UtcMicros::from_seconds(second));
        let decision = "blk_1".to_owned();

        assert_eq!(ban(&set, 200), Some(Ban { cause, decision }));
        assert_eq!((ban(&set, 700), ban(&lifted, 200)), (None, None), "{cause:?}");
    }
}

#[test]
fn a_revocation_without_an_id_is_named_by_its_place_and_said_before_a_block() {
    let set = set_of(vec![
        entry(6, Target::Subject("u".into()), 100),
        entry(7, Target::Sub("u".into()), 100),
    ]);
    let token = Subject {
        sub: "u",
        ..Subject::default()
    };

    let ban = set.ban(&token, UtcMicros::from_seconds(200)).unwrap();

    assert_eq!((ban.cause, ban.decision.as_str()), (BanCause::Revoked, "enf_7"));
}

fn is_revoked(set: &RevocationSet, subject: &Subject<'_>) -> bool {
    set.ban(subject, UtcMicros::from_seconds(0)).is_some()
}

fn set_of(entries: Vec<Entry>) -> RevocationSet {
    let mut set = RevocationSet::default();
    let cursor = entries.last().map_or(0, |entry| entry.cursor);
    set.apply(Page {
        entries,
        cursor,
        more: false,
    });
    set
}

#[test]
fn a_session_is_revoked_whenever_its_token_was_issued() {
    let set = set_of(vec![entry(1, Target::Sid("s1".into()), 100)]);
    let late = Subject {
        sid: Some("s1"),
        issued_at: Some(UtcMicros::from_seconds(200)),
        ..Subject::default()
    };

    assert!(is_revoked(&set, &late));
    assert!(!is_revoked(
        &set,
        &Subject {
            sid: Some("s2"),
            ..late
        }
    ));
}

#[test]
fn a_subject_is_revoked_up_to_the_second_of_its_revocation() {
    let set = set_of(vec![entry(1, Target::Sub("u".into()), 100)]);
    let issued = |second| Subject {
        sub: "u",
        issued_at: Some(UtcMicros::from_seconds(second)),
        ..Subject::default()
    };

    assert!(is_revoked(&set, &issued(99)));
    assert!(is_revoked(&set, &issued(100)));
    assert!(!is_revoked(&set, &issued(101)));
}

#[test]
fn kinds_are_not_mixed_up() {
    let set = set_of(vec![entry(1, Target::Jti("same".into()), 100)]);

    assert!(!is_revoked(
        &set,
        &Subject {
            sid: Some("same"),
            sub: "same",
            ..Subject::default()
        }
    ));
    assert!(is_revoked(
        &set,
        &Subject {
            jti: Some("same"),
            ..Subject::default()
        }
    ));
}

#[test]
fn what_has_expired_is_forgotten_and_the_cursor_is_kept() {
    let mut set = set_of(vec![entry(7, Target::Jti("t".into()), 100)]);

    set.forget_expired(UtcMicros::from_seconds(700));

    assert!(!is_revoked(
        &set,
        &Subject {
            jti: Some("t"),
            ..Subject::default()
        }
    ));
    assert_eq!(set.cursor(), 7);
}

#[test]
fn a_set_changes_by_what_is_new_and_by_what_expires_and_by_nothing_else() {
    let at = UtcMicros::from_seconds;
    let set = set_of(vec![
        entry(1, Target::Jti("t".into()), 100),
        entry(2, Target::Sid("s".into()), 200),
    ]);
    let quiet = |cursor| Page {
        cursor,
        ..Page::default()
    };

    assert!(set.is_unchanged_by(&quiet(2), at(699)));
    assert!(!set.is_unchanged_by(&quiet(3), at(699)));
    assert!(!set.is_unchanged_by(&quiet(2), at(700)));
    let mut later = set.clone();
    later.forget_expired(at(700));
    assert!(later.is_unchanged_by(&quiet(2), at(799)));
    assert!(!later.is_unchanged_by(&quiet(2), at(800)));
}

#[test]
fn an_older_page_applied_again_weakens_nothing() {
    let mut set = set_of(vec![
        entry(1, Target::Sub("u".into()), 100),
        entry(2, Target::Sub("u".into()), 200),
    ]);

    set.apply(Page {
        entries: vec![entry(1, Target::Sub("u".into()), 100)],
        cursor: 1,
        more: false,
    });

    let at_200 = Subject {
        sub: "u",
        issued_at: Some(UtcMicros::from_seconds(200)),
        ..Subject::default()
    };
    assert!(is_revoked(&set, &at_200));
    assert_eq!(set.cursor(), 2);
}

#[test]
fn an_announcement_with_a_gap_before_it_is_in_force_and_moves_no_cursor() {
    let mut set = set_of(vec![entry(1, Target::Sid("a".into()), 100)]);
    let announced = |after, cursor, sid: &str| Announcement {
        after,
        page: Page {
            entries: vec![entry(cursor, Target::Sid(sid.into()), 100)],
            cursor,
            more: false,
        },
    };
    let is_revoked = |set: &RevocationSet, sid| {
        let token = Subject {
            sid: Some(sid),
            ..Subject::default()
        };
        is_revoked(set, &token)
    };

    assert!(!set.announce(announced(2, 3, "c")));
    assert_eq!(set.cursor(), 1);
    assert!(is_revoked(&set, "c"));

    assert!(set.announce(announced(0, 2, "b")));
    assert_eq!(set.cursor(), 2);
    assert!(is_revoked(&set, "b"));
}

#[test]
fn an_entry_is_flat_on_the_wire() {
    let json = serde_json::to_value(entry(3, Target::Sid("s".into()), 0)).unwrap();

    assert_eq!(json["kind"], "sid");
    assert_eq!(json["value"], "s");
    assert_eq!(json["cursor"], 3);
    assert_eq!(
        json.get("decision"),
        None,
        "what older verifiers do not know is left out"
    );
}
