//! Counters made from events. Labels are words of the code: anything else is counted as `other`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::Value;
use shared::event::{Facts, Outcome, action};

/// Words that a label may take at most; the code has about half as many.
const WORDS_MAX: usize = 128;

/// The longest word, in bytes.
const WORD_BYTES_MAX: usize = 48;

/// What stands for a word that is none.
const OTHER: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Event {
    action: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    action: String,
    reason: String,
}

macro_rules! label {
    ($name:ident, $label:ident) => {
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name {
            $label: String,
        }
    };
}
label!(OfOutcome, outcome);
label!(OfReason, reason);
label!(OfGrant, grant);
label!(OfCause, cause);

/// Events by what they say.
#[derive(Clone, Debug)]
pub(crate) struct EventCounts {
    events: Family<Event, Counter>,
    failures: Family<Refused, Counter>,
    logins: Family<OfOutcome, Counter>,
    login_failures: Family<OfReason, Counter>,
    refreshes: Family<OfOutcome, Counter>,
    reuses: Family<OfCause, Counter>,
    tokens: Family<OfGrant, Counter>,
    revocations: Family<OfCause, Counter>,
    words: Words,
}

impl EventCounts {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let counts = Self {
            events: Family::default(),
            failures: Family::default(),
            logins: Family::default(),
            login_failures: Family::default(),
            refreshes: Family::default(),
            reuses: Family::default(),
            tokens: Family::default(),
            revocations: Family::default(),
            words: Words::default(),
        };
        registry.register("events", "Events, by action and outcome", counts.events.clone());
        registry.register(
            "failures",
            "Events of what was not done, by action and reason",
            counts.failures.clone(),
        );
        registry.register("logins", "Sign-ins, by outcome", counts.logins.clone());
        registry.register(
            "login_failures",
            "Sign-ins that failed, by reason",
            counts.login_failures.clone(),
        );
        registry.register(
            "refreshes",
            "Refreshes: rotate and repeat were answered with tokens, the others refused",
            counts.refreshes.clone(),
        );
        registry.register(
            "refresh_token_reuses",
            "Refresh tokens that came back after they were replaced, by cause",
            counts.reuses.clone(),
        );
        registry.register(
            "tokens_minted",
            "Access tokens, by the grant they were minted for",
            counts.tokens.clone(),
        );
        registry.register("revocations", "Revocations, by cause", counts.revocations.clone());
        counts
    }

    /// Counts an event that is committed.
    pub(crate) fn count(&self, facts: &Facts) {
        let outcome = facts.outcome.as_str();
        // One event tells of many failures when there is a flood of them.
        let times = facts.detail.get("count").and_then(Value::as_u64).unwrap_or(1);
        let reason = || self.words.known(facts.reason.as_deref());
        let action = self.words.known(Some(&facts.action));
        if matches!(facts.outcome, Outcome::Denied | Outcome::Failure | Outcome::Error) {
            let refused = Refused {
                action: action.clone(),
                reason: reason(),
            };
            self.failures.get_or_create(&refused).inc_by(times);
        }
        self.events.get_or_create(&Event { action, outcome }).inc();
        match facts.action.as_str() {
            action::AUTHN_LOGIN_SUCCESS => self.login(outcome, 1),
            action::AUTHN_LOGIN_FAIL => {
                self.login(outcome, times);
                self.login_failures
                    .get_or_create(&OfReason { reason: reason() })
                    .inc_by(times);
            }
            action::AUTHN_TOKEN_CREATED => self.token(facts),
            action::AUTHN_TOKEN_REFRESH_FAIL => self.refresh_times(reason(), times),
            action::AUTHN_TOKEN_REUSE => {
                self.refresh("reuse".to_owned());
                self.reuses.get_or_create(&OfCause { cause: reason() }).inc();
            }
            action::AUTHN_TOKEN_REVOKED => {
                self.revocations.get_or_create(&OfCause { cause: reason() }).inc();
            }
            _ => {}
        }
    }

    fn login(&self, outcome: &'static str, times: u64) {
        let outcome = outcome.to_owned();
        self.logins.get_or_create(&OfOutcome { outcome }).inc_by(times);
    }

    fn refresh(&self, outcome: String) {
        self.refresh_times(outcome, 1);
    }

    fn refresh_times(&self, outcome: String, times: u64) {
        self.refreshes.get_or_create(&OfOutcome { outcome }).inc_by(times);
    }

    fn token(&self, facts: &Facts) {
        let word = |member: &str| facts.detail.get(member).and_then(Value::as_str);
        let grant = match (word("grant"), word("refresh")) {
            (Some(grant), _) => self.words.known(Some(grant)),
            (None, Some(_)) => "refresh_token".to_owned(),
            (None, None) => "password".to_owned(),
        };
        self.tokens.get_or_create(&OfGrant { grant }).inc();
        if let Some(how) = word("refresh") {
            self.refresh(self.words.known(Some(how)));
        }
    }
}

/// The words met so far: a set that ends, whatever comes.
#[derive(Clone, Debug, Default)]
struct Words(Arc<Mutex<BTreeSet<String>>>);

impl Words {
    fn known(&self, word: Option<&str>) -> String {
        let Some(word) = word else {
            return "none".to_owned();
        };
        let is_word = !word.is_empty()
            && word.len() <= WORD_BYTES_MAX
            && word
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if is_word && (words.contains(word) || words.len() < WORDS_MAX) {
            words.insert(word.to_owned());
            return word.to_owned();
        }
        OTHER.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use shared::event::Class;

    use super::*;

    fn counts() -> EventCounts {
        EventCounts::register(&mut Registry::default())
    }

    fn facts(action: &str, outcome: Outcome) -> Facts {
        Facts::new(Class::Auth, action, outcome)
    }

    #[test]
    fn sign_ins_are_counted_by_outcome_and_failures_by_reason_too() {
        let counts = counts();

        counts.count(&facts(action::AUTHN_LOGIN_SUCCESS, Outcome::Success));
        for _ in 0..2 {
            counts.count(&facts(action::AUTHN_LOGIN_FAIL, Outcome::Failure).because("bad_credentials"));
        }

        let logins = |outcome: &str| {
            let outcome = outcome.to_owned();
            counts.logins.get_or_create(&OfOutcome { outcome }).get()
        };
        assert_eq!((logins("success"), logins("failure")), (1, 2));
        let reason = "bad_credentials".to_owned();
        assert_eq!(
            counts
                .login_failures
                .get_or_create(&OfReason {
                    reason: reason.clone()
                })
                .get(),
            2
        );
        let action = action::AUTHN_LOGIN_FAIL.to_owned();
        let refused = Refused { action, reason };
        assert_eq!(counts.failures.get_or_create(&refused).get(), 2);
    }

    #[test]
    fn a_refresh_is_counted_by_what_became_of_it_and_its_token_by_its_grant() {
        let counts = counts();
        let minted = || facts(action::AUTHN_TOKEN_CREATED, Outcome::Success);

        counts.count(&minted());
        counts.count(&minted().with_detail("refresh", "rotate"));
        counts.count(&minted().with_detail("grant", "client_credentials"));
        counts.count(&facts(action::AUTHN_TOKEN_REUSE, Outcome::Denied).because("replay"));

        for outcome in ["rotate", "reuse"] {
            let outcome = outcome.to_owned();
            assert_eq!(counts.refreshes.get_or_create(&OfOutcome { outcome }).get(), 1);
        }
        for grant in ["password", "refresh_token", "client_credentials"] {
            let grant = grant.to_owned();
            assert_eq!(counts.tokens.get_or_create(&OfGrant { grant }).get(), 1);
        }
        let cause = "replay".to_owned();
        assert_eq!(counts.reuses.get_or_create(&OfCause { cause }).get(), 1);
    }

    #[test]
    fn no_flood_of_words_makes_a_flood_of_series() {
        let mut registry = Registry::default();
        let counts = EventCounts::register(&mut registry);

        for number in 0..10 * WORDS_MAX {
            counts.count(&facts(&format!("made_up_{number}"), Outcome::Failure));
            let typed = facts(action::AUTHN_LOGIN_FAIL, Outcome::Failure);
            counts.count(&typed.because("What an attacker typed"));
        }

        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        let series = text.lines().filter(|line| line.starts_with("events_total{"));
        assert_eq!(series.count(), WORDS_MAX + 1);
        assert!(
            text.contains("login_failures") && !text.contains("attacker"),
            "{text}"
        );
    }
}
