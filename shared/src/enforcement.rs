//! What must be refused although its token verifies: revocations, held exactly and until they expire (DESIGN §3).

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
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
    /// The id of the decision that it carries out, such as a block's, if somebody can look it up by one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
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
    /// Every token of a session, for a time: unlike [`Target::Sid`] it can be taken back.
    Session(String),
    /// One token, for a time: unlike [`Target::Jti`] it can be taken back.
    Token(String),
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
/// Exact, not probabilistic: a wrong refusal is as much a fault as a wrong pass. By kind, so that what a token names is looked
/// up as it stands.
#[derive(Clone, Debug, Default)]
pub struct RevocationSet {
    jtis: Revocations,
    sids: Revocations,
    subs: Revocations,
    clients: Revocations,
    kids: Revocations,
    blocked_subjects: Revocations,
    blocked_sessions: Revocations,
    blocked_tokens: Revocations,
    networks: HashMap<IpNet, Revocation>,
    /// The lengths of the networks that are blocked, so that an address is looked up once for each.
    lengths: BTreeSet<u8>,
    cursor: i64,
    /// When the first of all expires.
    first_expiry: Option<UtcMicros>,
}

/// What is revoked of one kind, by its name.
type Revocations = HashMap<String, Revocation>;

/// Why a token is refused, and by which decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// Why.
    pub cause: BanCause,
    /// What the decision is called: the id that its entry names or, without one, the entry's place in the log.
    pub decision: String,
}

/// Why the log refuses a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BanCause {
    /// It, its session, subject, client or key was revoked, for good.
    Revoked,
    /// Its subject is kept out for a time.
    SubjectBlocked,
    /// Its session is.
    SessionBlocked,
    /// It is itself.
    TokenBlocked,
}

#[derive(Clone, Debug)]
struct Revocation {
    not_before: UtcMicros,
    expires_at: UtcMicros,
    /// Where the entry stands that is in force; of two on the same block the later counts.
    cursor: i64,
    lifted: bool,
    decision: Option<Arc<str>>,
}

impl Revocation {
    fn decision(&self) -> String {
        match &self.decision {
            Some(id) => id.to_string(),
            None => format!("enf_{}", self.cursor),
        }
    }

    /// The decision, if it is a block that is in force at `now`.
    fn block_at(&self, now: UtcMicros) -> Option<String> {
        (!self.lifted && self.expires_at > now).then(|| self.decision())
    }
}

impl Target {
    /// Whether it is kept out for a time and can be let in again; the others are final.
    const fn is_block(&self) -> bool {
        matches!(
            self,
            Self::Address(_) | Self::Subject(_) | Self::Session(_) | Self::Token(_)
        )
    }
}

impl RevocationSet {
    /// The cursor up to which the log has been applied; 0 at the beginning.
    pub const fn cursor(&self) -> i64 {
        self.cursor
    }

    /// Whether it stays as it is if `page` is applied and what has expired before `now` is forgotten.
    pub fn is_unchanged_by(&self, page: &Page, now: UtcMicros) -> bool {
        let nothing_expires = self.first_expiry.is_none_or(|first| first > now);
        page.entries.is_empty() && page.cursor <= self.cursor && nothing_expires
    }

    /// Adds a page of the log. Applying one twice changes nothing.
    pub fn apply(&mut self, page: Page) {
        for entry in page.entries {
            self.add(entry);
        }
        self.cursor = self.cursor.max(page.cursor);
    }

    fn add(&mut self, entry: Entry) {
        let is_block = entry.target.is_block();
        let revocation = Revocation {
            not_before: entry.not_before,
            expires_at: entry.expires_at,
            cursor: entry.cursor,
            lifted: entry.lifted,
            decision: entry.decision.map(Arc::from),
        };
        let first = self.first_expiry.unwrap_or(entry.expires_at);
        self.first_expiry = Some(first.min(entry.expires_at));
        let (names, name) = match entry.target {
            Target::Jti(jti) => (&mut self.jtis, jti),
            Target::Sid(sid) => (&mut self.sids, sid),
            Target::Sub(sub) => (&mut self.subs, sub),
            Target::ClientId(client) => (&mut self.clients, client),
            Target::Kid(kid) => (&mut self.kids, kid),
            Target::Subject(sub) => (&mut self.blocked_subjects, sub),
            Target::Session(sid) => (&mut self.blocked_sessions, sid),
            Target::Token(jti) => (&mut self.blocked_tokens, jti),
            Target::Address(net) => {
                self.lengths.insert(net.prefix_len());
                return put(self.networks.entry(net), revocation, is_block);
            }
        };
        put(names.entry(name), revocation, is_block);
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
        if self.first_expiry.is_none_or(|first| first > now) {
            return;
        }
        self.first_expiry = None;
        let mut is_kept = |revocation: &Revocation| {
            let is_kept = revocation.expires_at > now;
            if is_kept {
                let first = self.first_expiry.unwrap_or(revocation.expires_at);
                self.first_expiry = Some(first.min(revocation.expires_at));
            }
            is_kept
        };
        for names in [
            &mut self.jtis,
            &mut self.sids,
            &mut self.subs,
            &mut self.clients,
            &mut self.kids,
            &mut self.blocked_subjects,
            &mut self.blocked_sessions,
            &mut self.blocked_tokens,
        ] {
            names.retain(|_, revocation| is_kept(revocation));
        }
        self.networks.retain(|_, revocation| is_kept(revocation));
    }

    /// The decision by which requests from `ip` are refused at `now`, if they are.
    pub fn address_block(&self, ip: IpAddr, now: UtcMicros) -> Option<String> {
        let ip = ip.to_canonical();
        self.lengths.iter().find_map(|length| {
            let net = IpNet::new(ip, *length).ok()?;
            self.networks.get(&net.trunc())?.block_at(now)
        })
    }

    /// Why a token of `subject` is refused at `now`, if it is. What is final is said before what will pass.
    ///
    /// A subject's or client's revocation spares tokens issued in a later second: `iat` has whole seconds, so
    /// that one issued in the same second is refused, which is the safe side.
    pub fn ban(&self, subject: &Subject<'_>, now: UtcMicros) -> Option<Ban> {
        let revoked = self.revocation(subject).map(|decision| Ban {
            cause: BanCause::Revoked,
            decision,
        });
        revoked.or_else(|| {
            let named = [
                (
                    BanCause::SubjectBlocked,
                    Some(subject.sub),
                    &self.blocked_subjects,
                ),
                (BanCause::SessionBlocked, subject.sid, &self.blocked_sessions),
                (BanCause::TokenBlocked, subject.jti, &self.blocked_tokens),
            ];
            named.into_iter().find_map(|(cause, name, names)| {
                let decision = names.get(name?)?.block_at(now)?;
                Some(Ban { cause, decision })
            })
        })
    }

    fn revocation(&self, subject: &Subject<'_>) -> Option<String> {
        let is_older = |revocation: &&Revocation| match subject.issued_at {
            Some(issued_at) => issued_at.as_seconds() <= revocation.not_before.as_seconds(),
            None => true,
        };
        named(&self.jtis, subject.jti)
            .or_else(|| named(&self.sids, subject.sid))
            .or_else(|| named(&self.kids, subject.kid))
            .or_else(|| named(&self.subs, Some(subject.sub)).filter(is_older))
            .or_else(|| named(&self.clients, subject.client_id).filter(is_older))
            .map(Revocation::decision)
    }
}

fn named<'s>(names: &'s Revocations, name: Option<&str>) -> Option<&'s Revocation> {
    names.get(name?)
}

/// Adds to what is known of a target: of a block the later counts, a revocation is final.
fn put<K>(place: Place<'_, K, Revocation>, revocation: Revocation, is_block: bool) {
    match place {
        Place::Vacant(place) => {
            place.insert(revocation);
        }
        Place::Occupied(mut known) if is_block => {
            if known.get().cursor < revocation.cursor {
                known.insert(revocation);
            }
        }
        Place::Occupied(known) => {
            let known = known.into_mut();
            known.not_before = known.not_before.max(revocation.not_before);
            known.expires_at = known.expires_at.max(revocation.expires_at);
        }
    }
}

/// How long a verifier may be without word from the feed before it refuses, unless set otherwise (`blind_max`, DESIGN §3).
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
}
