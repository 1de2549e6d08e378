//! Compares what clients were told with what is stored. Pure.

use std::collections::HashMap;

use crate::load::Ledger;

/// What is stored of one boot of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbers {
    /// Service, instance and boot.
    pub source: String,
    /// How many different numbers are stored.
    pub count: u64,
    /// How many events are stored.
    pub events: u64,
    /// The highest number.
    pub last: u64,
}

/// What is stored, as far as it matters here.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// How often each request is stored, by its id.
    pub requests: HashMap<String, u64>,
    /// How often the making of each token is stored, by its `jti`.
    pub tokens: HashMap<String, u64>,
    /// What is stored of each boot.
    pub numbers: Vec<Numbers>,
    /// Deliveries that were kept apart, of which there must be none.
    pub dead_letters: u64,
}

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Requests that were answered and had to be recorded.
    pub answered: u64,
    /// Those of them that are stored.
    pub stored: u64,
    /// Ids of those that are not, or of tokens whose making is not.
    pub lost: Vec<String>,
    /// Ids that are stored more than once.
    pub doubled: Vec<String>,
    /// Requests that no answer came to.
    pub unknown: u64,
    /// Requests that were refused because they could not be recorded.
    pub unrecorded: u64,
    /// Sources of which numbers are missing.
    pub gaps: Vec<String>,
    /// How many numbers are missing.
    pub missing_numbers: u64,
    /// Whatever else is not as it must be.
    pub oddities: Vec<String>,
}

impl Verdict {
    /// Compares.
    pub fn of(ledger: &Ledger, stored: &Stored) -> Self {
        let is_missing = |ids: &HashMap<String, u64>, id: &String| !ids.contains_key(id);
        let answered = ledger.answered.iter();
        let mut lost: Vec<_> = answered
            .filter(|id| is_missing(&stored.requests, id))
            .cloned()
            .collect();
        let lost_requests = lost.len();
        let minted = ledger.minted.iter();
        lost.extend(
            minted
                .filter(|jti| is_missing(&stored.tokens, jti))
                .map(|jti| format!("token {jti}")),
        );
        let twice = |ids: &HashMap<String, u64>| {
            let several = ids.iter().filter(|(_, times)| **times > 1);
            several.map(|(id, _)| id.clone()).collect::<Vec<_>>()
        };
        let mut doubled = twice(&stored.requests);
        doubled.extend(twice(&stored.tokens));
        doubled.sort_unstable();
        let mut oddities = Vec::new();
        if stored.dead_letters > 0 {
            oddities.push(format!("{} dead letters", stored.dead_letters));
        }
        if ledger.nameless > 0 {
            oddities.push(format!(
                "{} answers without the id of their request",
                ledger.nameless
            ));
        }
        for numbers in stored
            .numbers
            .iter()
            .filter(|numbers| numbers.count < numbers.events)
        {
            oddities.push(format!("a number that two events have: {numbers}"));
        }
        let gaps = stored.numbers.iter().filter(|numbers| numbers.missing() > 0);
        Self {
            answered: count(ledger.answered.len()),
            stored: count(ledger.answered.len() - lost_requests),
            lost,
            doubled,
            unknown: ledger.unknown,
            unrecorded: ledger.unrecorded,
            gaps: gaps.map(ToString::to_string).collect(),
            missing_numbers: stored.numbers.iter().map(Numbers::missing).sum(),
            oddities,
        }
    }

    /// Whether nothing is lost, doubled, missing or odd.
    pub fn is_good(&self) -> bool {
        self.lost.is_empty()
            && self.missing_numbers == 0
            && self.doubled.is_empty()
            && self.oddities.is_empty()
    }
}

impl Numbers {
    const fn missing(&self) -> u64 {
        self.last.saturating_sub(self.count)
    }
}

impl std::fmt::Display for Numbers {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            source,
            count,
            events,
            last,
        } = self;
        write!(
            formatter,
            "{source}: {count} numbers up to {last} in {events} events"
        )
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[&str]) -> Vec<String> {
        ids.iter().map(|id| (*id).to_owned()).collect()
    }

    fn stored(requests: &[(&str, u64)], numbers: (u64, u64, u64)) -> Stored {
        let (count, events, last) = numbers;
        Stored {
            requests: requests
                .iter()
                .map(|(id, times)| ((*id).to_owned(), *times))
                .collect(),
            numbers: vec![Numbers {
                source: "door".to_owned(),
                count,
                events,
                last,
            }],
            ..Stored::default()
        }
    }

    fn answered(requests: &[&str]) -> Ledger {
        Ledger {
            answered: ids(requests),
            ..Ledger::default()
        }
    }

    #[test]
    fn everything_answered_and_stored_once_is_good() {
        let verdict = Verdict::of(&answered(&["a", "b"]), &stored(&[("a", 1), ("b", 1)], (2, 2, 2)));

        assert!(verdict.is_good());
        assert_eq!((verdict.answered, verdict.stored), (2, 2));
    }

    #[test]
    fn what_nobody_was_told_of_may_be_stored_all_the_same() {
        assert!(Verdict::of(&answered(&[]), &stored(&[("a", 1)], (1, 1, 1))).is_good());
    }

    #[test]
    fn an_answered_request_that_is_not_stored_is_lost() {
        let verdict = Verdict::of(&answered(&["a", "b"]), &stored(&[("a", 1)], (1, 1, 1)));

        assert_eq!(verdict.lost, ids(&["b"]));
        assert!(!verdict.is_good());
    }

    #[test]
    fn a_minted_token_that_is_not_stored_is_lost() {
        let ledger = Ledger {
            minted: ids(&["t"]),
            ..Ledger::default()
        };

        assert_eq!(Verdict::of(&ledger, &Stored::default()).lost, ids(&["token t"]));
    }

    #[test]
    fn a_request_that_is_stored_twice_is_doubled() {
        let verdict = Verdict::of(&answered(&["a"]), &stored(&[("a", 2)], (2, 2, 2)));

        assert_eq!(verdict.doubled, ids(&["a"]));
        assert!(!verdict.is_good());
    }

    #[test]
    fn a_missing_number_and_one_that_two_events_have_are_told() {
        for numbers in [(2, 2, 3), (2, 3, 2)] {
            let verdict = Verdict::of(&answered(&[]), &stored(&[], numbers));

            assert_eq!(verdict.gaps.len() + verdict.oddities.len(), 1);
            assert!(!verdict.is_good(), "{numbers:?}");
        }
    }

    #[test]
    fn dead_letters_are_odd() {
        let letters = Stored {
            dead_letters: 1,
            ..Stored::default()
        };

        assert!(!Verdict::of(&Ledger::default(), &letters).is_good());
    }
}
