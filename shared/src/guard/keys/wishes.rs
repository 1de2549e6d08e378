//! Which unknown keys an issuer is asked for, and how often: tokens with invented key ids must cost next to nothing.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use crate::clock::UtcMicros;
use crate::token::KeySet;

/// Questions out of turn that may follow on each other, and how long each takes to be allowed again.
const BURST: u32 = 3;
const REFILL: Duration = Duration::from_secs(10);

/// Keys that one question is put for at most. A flood of ids is not remembered any longer than this.
const PENDING_MAX: usize = 64;

/// How long it is believed that there is no key of an id, so that nobody can keep a later one out by naming it first.
const ABSENT_FOR: Duration = Duration::from_secs(30);

/// Ids that are remembered as absent at most; beyond, the bucket alone bounds questions.
const ABSENT_MAX: usize = 1024;

/// What became of the wish to know a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// The issuer is being asked, or is about to be.
    Asked,
    /// The issuer was asked, and has no such key.
    Absent,
    /// The issuer was asked so often of late that what is known is as good as new.
    Spent,
}

/// What is wanted of one issuer: a token bucket of questions, and what they told not to ask for again.
#[derive(Debug)]
pub(super) struct Wishes {
    questions: u32,
    /// When the first of the missing questions began to come back.
    refilling_since: UtcMicros,
    absent: HashMap<String, UtcMicros>,
    wanted: HashSet<String>,
    asking: HashSet<String>,
}

impl Default for Wishes {
    fn default() -> Self {
        Self {
            questions: BURST,
            refilling_since: UtcMicros::from_micros(0),
            absent: HashMap::new(),
            wanted: HashSet::new(),
            asking: HashSet::new(),
        }
    }
}

impl Wishes {
    /// Wishes to know the key `kid`.
    pub(super) fn wish(&mut self, kid: &str, now: UtcMicros) -> Wish {
        let believed = |asked_at: &UtcMicros| now.since(*asked_at) < ABSENT_FOR;
        if self.absent.get(kid).is_some_and(believed) {
            return Wish::Absent;
        }
        if self.is_pending(kid) {
            return Wish::Asked;
        }
        // A question that will be put anyway takes another key along.
        let is_allowed = if self.wanted.is_empty() {
            self.take_question(now)
        } else {
            self.wanted.len() < PENDING_MAX
        };
        if !is_allowed {
            return Wish::Spent;
        }
        self.wanted.insert(kid.to_owned());
        Wish::Asked
    }

    /// Whether the issuer's word on `kid` is still to come.
    pub(super) fn is_pending(&self, kid: &str) -> bool {
        self.wanted.contains(kid) || self.asking.contains(kid)
    }

    /// Whether a question is to be put.
    pub(super) fn are_any(&self) -> bool {
        !self.wanted.is_empty()
    }

    /// A question is put now, for all that is wanted.
    pub(super) fn begin(&mut self) {
        self.asking = std::mem::take(&mut self.wanted);
    }

    /// The question was answered with `keys` by `now`.
    pub(super) fn answered(&mut self, keys: &KeySet, now: UtcMicros) {
        let asked = std::mem::take(&mut self.asking);
        self.absent
            .retain(|kid, asked_at| now.since(*asked_at) < ABSENT_FOR && !keys.knows(kid));
        for kid in asked.into_iter().filter(|kid| !keys.knows(kid)) {
            if self.absent.len() < ABSENT_MAX {
                self.absent.insert(kid, now);
            }
        }
    }

    /// The question was not answered.
    pub(super) fn failed(&mut self) {
        self.asking.clear();
    }

    fn take_question(&mut self, now: UtcMicros) -> bool {
        let passed = now.since(self.refilling_since).as_secs() / REFILL.as_secs();
        let returned = u32::try_from(passed).unwrap_or(u32::MAX);
        if self.questions.saturating_add(returned) >= BURST {
            self.questions = BURST;
            self.refilling_since = now;
        } else {
            self.questions += returned;
            self.refilling_since = self.refilling_since.plus(REFILL * returned);
        }
        let has_one = self.questions > 0;
        self.questions = self.questions.saturating_sub(1);
        has_one
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> UtcMicros {
        UtcMicros::from_seconds(1_700_000_000 + second)
    }

    /// A set with the one key `k`.
    fn keys() -> KeySet {
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k"}"#;
        KeySet::from_jwks(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn a_key_is_asked_for_once_until_the_answer_and_not_again_for_a_while_if_it_is_not_there() {
        let mut wishes = Wishes::default();

        assert_eq!(wishes.wish("a", at(0)), Wish::Asked);
        wishes.begin();
        assert_eq!(wishes.wish("a", at(1)), Wish::Asked);
        assert!(wishes.is_pending("a"));
        wishes.answered(&keys(), at(2));

        assert!(!wishes.is_pending("a"));
        assert_eq!(wishes.wish("a", at(31)), Wish::Absent);
        assert_eq!(wishes.wish("a", at(32)), Wish::Asked);
    }

    #[test]
    fn a_flood_of_invented_keys_is_a_few_questions_and_then_one_in_ten_seconds() {
        let mut wishes = Wishes::default();
        let mut questions_in = |seconds: std::ops::Range<i64>| {
            let mut questions = 0;
            for second in seconds {
                for invented in 0..1_000 {
                    let before = wishes.wanted.is_empty();
                    let wish = wishes.wish(&format!("{second} {invented}"), at(second));
                    questions += u32::from(before && wish == Wish::Asked);
                }
                assert!(wishes.wanted.len() <= PENDING_MAX);
                wishes.begin();
                wishes.answered(&keys(), at(second));
                assert!(wishes.absent.len() <= ABSENT_MAX);
            }
            questions
        };

        assert_eq!(questions_in(0..10), BURST);
        assert_eq!(questions_in(10..100), 9);
    }

    #[test]
    fn a_key_that_was_asked_for_in_vain_is_absent_no_more_once_it_is_there() {
        let mut wishes = Wishes::default();
        wishes.absent.insert("k".into(), at(0));

        wishes.begin();
        wishes.answered(&keys(), at(1));

        assert_eq!(wishes.absent.len(), 0);
    }

    #[test]
    fn a_question_that_failed_says_nothing_of_a_key() {
        let mut wishes = Wishes::default();
        assert_eq!(wishes.wish("a", at(0)), Wish::Asked);

        wishes.begin();
        wishes.failed();

        assert!(!wishes.is_pending("a"));
        assert_eq!(wishes.wish("a", at(0)), Wish::Asked);
    }

    #[test]
    fn a_clock_that_is_put_back_gives_no_question_away() {
        let mut wishes = Wishes::default();
        for kid in ["a", "b", "c"] {
            assert_eq!(wishes.wish(kid, at(100)), Wish::Asked);
            wishes.begin();
            wishes.failed();
        }

        assert_eq!(wishes.wish("d", at(50)), Wish::Spent);
    }
}
