//! What the guard hears of the enforcement log, and whether that is enough to decide.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::{Guard, NEVER};
use crate::clock::UtcMicros;
use crate::enforcement::{Announcement, Entry, Page, RevocationSet};

/// How far a clock may be put back before what was heard by it counts for nothing.
const CLOCK_STEP_MAX: Duration = Duration::from_secs(1);

impl Guard {
    /// Whether the enforcement log was not heard of for too long.
    pub fn is_blind(&self) -> bool {
        self.is_blind_at(self.clock.now())
    }

    /// How far behind what is heard of the enforcement log is; `None` if nothing was.
    pub fn revocation_lag(&self) -> Option<Duration> {
        let heard_at = self.last_heard();
        (heard_at != NEVER).then(|| self.clock.now().since(heard_at))
    }

    /// The place in the enforcement log up to which it was heard.
    pub fn cursor(&self) -> i64 {
        self.revoked.load().cursor()
    }

    /// Takes a page of the enforcement log and forgets what has expired.
    ///
    /// Only the last page makes the guard see: with more to come, any token may be among what is not heard yet. It sees as
    /// of `asked_at`, when the page was asked for: what was revoked while the answer was on its way is not in it.
    pub fn hear(&self, page: &Page, asked_at: UtcMicros) {
        let now = self.clock.now();
        if !self.revoked.load().is_unchanged_by(page, now) {
            // What was revoked before this process began took no time to come here.
            if self.has_heard() {
                self.note_propagation(&page.entries, now);
            }
            self.revoked.rcu(|revoked| {
                let mut revoked = RevocationSet::clone(revoked);
                revoked.apply(page.clone());
                revoked.forget_expired(now);
                revoked
            });
            self.revoked_more(&page.entries);
        }
        if !page.more {
            self.heard_at.store(asked_at.as_micros(), Ordering::Release);
        }
    }

    /// Takes what was announced; whether nothing before it is missing. It puts revocations in force sooner and is never taken
    /// for a sign that all of them are known: a word that was held up on its way would say so of the past.
    pub fn hear_announcement(&self, announcement: &Announcement) -> bool {
        let entries = &announcement.page.entries;
        if entries.is_empty() {
            return announcement.page.cursor <= self.cursor();
        }
        let now = self.clock.now();
        self.note_propagation(entries, now);
        let mut follows = false;
        self.revoked.rcu(|revoked| {
            let mut revoked = RevocationSet::clone(revoked);
            follows = revoked.announce(announcement.clone());
            revoked.forget_expired(now);
            revoked
        });
        self.revoked_more(entries);
        follows
    }

    /// Who was let in before is looked at again.
    fn revoked_more(&self, entries: &[Entry]) {
        if !entries.is_empty() {
            self.changes.send_replace(());
        }
    }

    /// Counts how long entries took to come here that are new.
    fn note_propagation(&self, entries: &[Entry], now: UtcMicros) {
        let cursor = self.cursor();
        for entry in entries.iter().filter(|entry| entry.cursor > cursor) {
            self.propagation
                .observe(now.since(entry.not_before).as_secs_f64());
        }
    }

    /// Whether the enforcement log was heard to its end since this process began.
    pub(super) fn has_heard(&self) -> bool {
        self.last_heard() != NEVER
    }

    pub(super) fn is_blind_at(&self, now: UtcMicros) -> bool {
        let heard_at = self.last_heard();
        // A clock that was put back makes the last word look newer than it is.
        let is_ahead = heard_at > now.plus(CLOCK_STEP_MAX);
        heard_at == NEVER || is_ahead || now.since(heard_at) > self.blind_max
    }

    fn last_heard(&self) -> UtcMicros {
        UtcMicros::from_micros(self.heard_at.load(Ordering::Acquire))
    }
}
