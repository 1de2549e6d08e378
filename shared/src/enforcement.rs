//! What must be refused although its token verifies: revocations, held exactly and until they expire (DESIGN §3).

use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::clock::UtcMicros;

/// One line of auth-service's enforcement log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its place in the log: entries are committed in this order.
    pub cursor: i64,
    /// What is refused.
    #[serde(flatten)]
    pub target: Target,
    /// When it was revoked; a subject's tokens issued before are refused, later ones are not.
    pub not_before: UtcMicros,
    /// From when on no token that it concerns can be alive, so that it may be forgotten.
    pub expires_at: UtcMicros,
    /// Whether it takes an earlier block of the same target back.
    #[serde(default, skip_serializing_if = "is_false")]
    pub lifted: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// What an entry refuses. A verifier that does not know a kind cannot read the page, and refuses rather than guesses.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "kind", content = "value", rename_all = "snake_case")]
pub enum Target {
    /// One token.
    Jti(String),
    /// Every token of a session.
    Sid(String),
    /// Every token of a subject that was issued before.
    Sub(String),
    /// Every token of a client that was issued before.
    ClientId(String),
    /// Every token that a key signed.
    Kid(String),
    /// Every request from an address or a network, with a token or without.
    Address(IpNet),
    /// Every token of a subject, whenever it was issued.
    Subject(String),
}

/// One answer of `GET /v1/enforcement?since=`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// Entries after the cursor asked for, in order, the expired ones left out.
    pub entries: Vec<Entry>,
    /// The cursor to ask with next.
    pub cursor: i64,
    /// Whether there is more to ask for at once.
    pub more: bool,
}

/// What auth-service tells every verifier as soon as it is so, and each second as a sign of life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    /// The cursor after which the entries begin; who has not come so far lacks some and asks.
    pub after: i64,
    /// The entries since, none in a mere sign of life.
    #[serde(flatten)]
    pub page: Page,
}

/// The parts of a token that a revocation can name.
#[derive(Clone, Copy, Debug, Default)]
pub struct Subject<'a> {
    /// The token's id.
    pub jti: Option<&'a str>,
    /// Its session.
    pub sid: Option<&'a str>,
    /// Its subject.
    pub sub: &'a str,
    /// Its client.
    pub client_id: Option<&'a str>,
    /// The key that signed it.
    pub kid: Option<&'a str>,
    /// When it was issued.
    pub issued_at: Option<UtcMicros>,
}

/// Everything that is revoked and not yet expired.
///
/// Exact, not probabilistic: a wrong refusal is as much a fault as a wrong pass.
#[derive(Clone, Debug, Default)]
pub struct RevocationSet {
    revoked: HashMap<Target, Revocation>,
    /// The lengths of the networks that are blocked, so that an address is looked up once for each.
    lengths: BTreeSet<u8>,
    cursor: i64,
}

#[derive(Clone, Copy, Debug)]
struct Revocation {
    not_before: UtcMicros,
    expires_at: UtcMicros,
    /// Where the entry stands that is in force; of two on the same block the later counts.
    cursor: i64,
    lifted: bool,
}

impl Target {
    /// Whether it is kept out for a time and can be let in again; the others are final.
    const fn is_block(&self) -> bool {
        matches!(self, Self::Address(_) | Self::Subject(_))
    }
}

impl RevocationSet {
    /// The cursor up to which the log has been applied; 0 at the beginning.
    pub const fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Adds a page of the log. Applying one twice changes nothing.
    pub fn apply(&mut self, page: Page) {
        for entry in page.entries {
            let revocation = Revocation {
                not_before: entry.not_before,
                expires_at: entry.expires_at,
                cursor: entry.cursor,
                lifted: entry.lifted,
            };
            if let Target::Address(net) = &entry.target {
                self.lengths.insert(net.prefix_len());
            }
            let is_block = entry.target.is_block();
            self.revoked
                .entry(entry.target)
                .and_modify(|known| {
                    if is_block {
                        if known.cursor < revocation.cursor {
                            *known = revocation;
                        }
                        return;
                    }
                    known.not_before = known.not_before.max(revocation.not_before);
                    known.expires_at = known.expires_at.max(revocation.expires_at);
                })
                .or_insert(revocation);
        }
        self.cursor = self.cursor.max(page.cursor);
    }

    /// Takes what was announced; whether it followed on what is known. If not, its entries are in force all the same, but what
    /// stands before them is to be asked for.
    pub fn announce(&mut self, announcement: Announcement) -> bool {
        let follows = announcement.after <= self.cursor;
        let cursor = if follows {
            announcement.page.cursor
        } else {
            self.cursor
        };
        self.apply(Page {
            cursor,
            ..announcement.page
        });
        follows
    }

    /// Forgets what has expired before `now`.
    pub fn forget_expired(&mut self, now: UtcMicros) {
        self.revoked.retain(|_, revocation| revocation.expires_at > now);
    }

    /// Whether requests from `ip` are refused at `now`.
    pub fn is_address_blocked(&self, ip: IpAddr, now: UtcMicros) -> bool {
        let ip = ip.to_canonical();
        self.lengths.iter().any(|length| {
            let net = IpNet::new(ip, *length);
            net.is_ok_and(|net| self.is_blocked(&Target::Address(net.trunc()), now))
        })
    }

    /// Whether tokens of the subject `sub` are refused at `now`.
    pub fn is_subject_blocked(&self, sub: &str, now: UtcMicros) -> bool {
        !self.revoked.is_empty() && self.is_blocked(&Target::Subject(sub.to_owned()), now)
    }

    fn is_blocked(&self, target: &Target, now: UtcMicros) -> bool {
        let found = self.revoked.get(target);
        found.is_some_and(|block| !block.lifted && block.expires_at > now)
    }

    /// Whether a token of `subject` is revoked.
    ///
    /// A subject's or client's revocation spares tokens issued in a later second: `iat` has whole seconds, so
    /// that one issued in the same second is refused, which is the safe side.
    pub fn is_revoked(&self, subject: &Subject<'_>) -> bool {
        if self.revoked.is_empty() {
            return false;
        }
        let named = |target: Target| self.revoked.get(&target).copied();
        let always = [
            subject.jti.map(|jti| Target::Jti(jti.to_owned())),
            subject.sid.map(|sid| Target::Sid(sid.to_owned())),
            subject.kid.map(|kid| Target::Kid(kid.to_owned())),
        ];
        let if_older = [
            Some(Target::Sub(subject.sub.to_owned())),
            subject
                .client_id
                .map(|client| Target::ClientId(client.to_owned())),
        ];
        let is_older = |revocation: Revocation| match subject.issued_at {
            Some(issued_at) => issued_at.as_seconds() <= revocation.not_before.as_seconds(),
            None => true,
        };
        always.into_iter().flatten().any(|target| named(target).is_some())
            || if_older
                .into_iter()
                .flatten()
                .any(|target| named(target).is_some_and(is_older))
    }
}

/// How long a verifier may be without word from the feed before it refuses (`blind_max`, DESIGN §3).
pub const BLIND_MAX: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(cursor: i64, target: Target, at_second: i64) -> Entry {
        Entry {
            cursor,
            target,
            not_before: UtcMicros::from_seconds(at_second),
            expires_at: UtcMicros::from_seconds(at_second + 600),
            lifted: false,
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
            |set: &RevocationSet, ip: &str, now| set.is_address_blocked(ip.parse().unwrap(), at(now));
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
    fn a_blocked_subject_is_refused_whenever_its_token_was_issued_and_its_revocation_is_another_thing() {
        let set = set_of(vec![entry(1, Target::Subject("u".into()), 100)]);

        assert!(set.is_subject_blocked("u", UtcMicros::from_seconds(200)));
        assert!(!set.is_subject_blocked("v", UtcMicros::from_seconds(200)));
        assert!(!set.is_revoked(&Subject {
            sub: "u",
            ..Subject::default()
        }));
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

        assert!(set.is_revoked(&late));
        assert!(!set.is_revoked(&Subject {
            sid: Some("s2"),
            ..late
        }));
    }

    #[test]
    fn a_subject_is_revoked_up_to_the_second_of_its_revocation() {
        let set = set_of(vec![entry(1, Target::Sub("u".into()), 100)]);
        let issued = |second| Subject {
            sub: "u",
            issued_at: Some(UtcMicros::from_seconds(second)),
            ..Subject::default()
        };

        assert!(set.is_revoked(&issued(99)));
        assert!(set.is_revoked(&issued(100)));
        assert!(!set.is_revoked(&issued(101)));
    }

    #[test]
    fn kinds_are_not_mixed_up() {
        let set = set_of(vec![entry(1, Target::Jti("same".into()), 100)]);

        assert!(!set.is_revoked(&Subject {
            sid: Some("same"),
            sub: "same",
            ..Subject::default()
        }));
        assert!(set.is_revoked(&Subject {
            jti: Some("same"),
            ..Subject::default()
        }));
    }

    #[test]
    fn what_has_expired_is_forgotten_and_the_cursor_is_kept() {
        let mut set = set_of(vec![entry(7, Target::Jti("t".into()), 100)]);

        set.forget_expired(UtcMicros::from_seconds(700));

        assert!(!set.is_revoked(&Subject {
            jti: Some("t"),
            ..Subject::default()
        }));
        assert_eq!(set.cursor(), 7);
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
        assert!(set.is_revoked(&at_200));
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
            set.is_revoked(&Subject {
                sid: Some(sid),
                ..Subject::default()
            })
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
    }
}
