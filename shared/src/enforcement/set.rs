//! What the log comes to: the revocations and blocks that are in force.

use std::collections::hash_map::Entry as Place;
use std::collections::{BTreeSet, HashMap};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{Announcement, Entry, Page, Target};
use crate::clock::UtcMicros;

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
    /// When its subject proved who it is; of a token that does not say so, when it was issued.
    pub authenticated_at: Option<UtcMicros>,
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
    step_ups: Revocations,
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
    /// Its subject must sign in again first.
    StepUpRequired,
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
            Target::StepUp(sub) => (&mut self.step_ups, sub),
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
            &mut self.step_ups,
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
    /// that one issued in the same second is refused, which is the safe side. auth-service issues none then (decision 0143).
    pub fn ban(&self, subject: &Subject<'_>, now: UtcMicros) -> Option<Ban> {
        let revoked = self.revocation(subject).map(|decision| Ban {
            cause: BanCause::Revoked,
            decision,
        });
        revoked
            .or_else(|| {
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
            .or_else(|| self.step_up(subject, now))
    }

    /// A sign-in in the same second as the order does not count either, as of revocations.
    fn step_up(&self, subject: &Subject<'_>, now: UtcMicros) -> Option<Ban> {
        let order = self.step_ups.get(subject.sub)?;
        let ordered_at = order.not_before.as_seconds();
        let has_signed_in_since = subject
            .authenticated_at
            .is_some_and(|at| at.as_seconds() > ordered_at);
        let decision = order.block_at(now).filter(|_| !has_signed_in_since)?;
        let cause = BanCause::StepUpRequired;
        Some(Ban { cause, decision })
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
