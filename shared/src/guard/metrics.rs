//! A guard as metrics: whether it can decide, how far it has heard the enforcement log, how old its keys are, and how often it
//! need not verify a token again.

use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::Guard;
use crate::runtime::metrics::Metrics;

/// The upper ends of the classes of propagation, in seconds: announced, asked for, late.
pub(super) const PROPAGATION: [f64; 10] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 30.0];

/// A number that is not there is `NaN`.
type Seconds = Gauge<f64, std::sync::atomic::AtomicU64>;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Issuer {
    issuer: String,
}

#[derive(Clone, Default)]
struct Gauges {
    has_keys: Gauge,
    blind: Gauge,
    cursor: Gauge,
    lag: Seconds,
    keys_age: Family<Issuer, Seconds>,
    keys_answered: Family<Issuer, Seconds>,
    keys_failures: Family<Issuer, Gauge>,
    tokens: Gauge,
    token_bytes: Gauge,
}

/// Registers the guard's metrics under `prefix` and has it asked before each reading.
pub fn watch(metrics: &Metrics, prefix: &str, guard: &Arc<Guard>) {
    let gauges = Gauges::default();
    metrics.register(prefix, |registry| {
        gauges.register(registry);
        register_counts(registry, guard);
    });
    let guard = Arc::clone(guard);
    metrics.probe(move || {
        gauges.ask(&guard);
        std::future::ready(())
    });
}

fn register_counts(registry: &mut Registry, guard: &Guard) {
    registry.register_with_unit(
        "guard_revocation_propagation",
        "Time from a revocation until it was in force here",
        Unit::Seconds,
        guard.propagation.clone(),
    );
    registry.register(
        "guard_token_cache_hits",
        "Tokens whose signature was verified before",
        guard.tokens.hits.clone(),
    );
    registry.register(
        "guard_token_cache_misses",
        "Tokens whose signature was not verified before, good or not",
        guard.tokens.misses.clone(),
    );
}

impl Gauges {
    fn register(&self, registry: &mut Registry) {
        let plain = [
            (
                "guard_has_keys",
                "Whether the keys of every issuer are known",
                &self.has_keys,
            ),
            (
                "guard_blind",
                "Whether revocations were not heard of for too long",
                &self.blind,
            ),
            (
                "guard_cursor",
                "The last entry of the enforcement log that was heard",
                &self.cursor,
            ),
            (
                "guard_token_cache_tokens",
                "Tokens that need not be verified again",
                &self.tokens,
            ),
            (
                "guard_token_cache_bytes",
                "Bytes that they take, as estimated",
                &self.token_bytes,
            ),
        ];
        for (name, help, gauge) in plain {
            registry.register(name, help, gauge.clone());
        }
        registry.register_with_unit(
            "guard_revocation_lag",
            "How far behind what is heard of the enforcement log is",
            Unit::Seconds,
            self.lag.clone(),
        );
        registry.register_with_unit(
            "guard_keys_age",
            "How old an issuer's keys are",
            Unit::Seconds,
            self.keys_age.clone(),
        );
        registry.register_with_unit(
            "guard_keys_answered_timestamp",
            "When an issuer last answered with its keys",
            Unit::Seconds,
            self.keys_answered.clone(),
        );
        registry.register(
            "guard_keys_failures",
            "Questions for an issuer's keys that failed since the last that did not",
            self.keys_failures.clone(),
        );
    }

    fn ask(&self, guard: &Guard) {
        self.has_keys.set(i64::from(guard.has_all_keys()));
        self.blind.set(i64::from(guard.is_blind()));
        self.cursor.set(guard.cursor());
        self.lag
            .set(guard.revocation_lag().map_or(f64::NAN, |lag| lag.as_secs_f64()));
        guard.tokens.forget_expired(guard.clock.now());
        self.tokens
            .set(i64::try_from(guard.tokens.tokens()).unwrap_or(i64::MAX));
        self.token_bytes
            .set(i64::try_from(guard.tokens.bytes()).unwrap_or(i64::MAX));
        self.ask_for_keys(guard);
    }

    /// Of the issuers that are trusted now and of no others.
    fn ask_for_keys(&self, guard: &Guard) {
        self.keys_age.clear();
        self.keys_answered.clear();
        self.keys_failures.clear();
        let now = guard.clock.now();
        for issuer in guard.trust.load().issuers() {
            if let Some(age) = issuer.keys_age(now) {
                let name = Issuer {
                    issuer: issuer.rules.iss.clone(),
                };
                self.keys_age.get_or_create(&name).set(age.as_secs_f64());
            }
        }
        for (iss, source) in guard.key_sources.load().iter() {
            let name = Issuer { issuer: iss.clone() };
            let health = source.health();
            let failures = i64::try_from(health.failures).unwrap_or(i64::MAX);
            self.keys_failures.get_or_create(&name).set(failures);
            if let Some(at) = health.answered_at {
                #[expect(clippy::cast_precision_loss, reason = "a millionth of a second is enough")]
                let seconds = at.as_micros() as f64 / 1e6;
                self.keys_answered.get_or_create(&name).set(seconds);
            }
        }
    }
}
