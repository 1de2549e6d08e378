//! The keys of issuers that answer well, badly, late and not at all.

mod issuer;
mod outage;
mod unknown;

use serde_json::json;
use shared::clock::{ManualClock, SharedClock, UtcMicros};
use shared::enforcement::Page;
use shared::guard::keys::{KeyCopies, KeyOrigin, keep_fresh};
use shared::guard::{Guard, IfBlind};
use shared::http::client::pooled_client;
use shared::token::{AudienceRule, IssuerRules, Trust, TrustedIssuer};
use std::path::Path;
use std::sync::Arc;
use tokio::task::JoinHandle;

use crate::support::until;
use crate::token::NOW;
use crate::token::mint::{GATELOG, WORLD, claims, with};
use issuer::{Issuer, Manner};

/// A guard that trusts one issuer, and the task that keeps its keys.
struct Kept {
    issuer: Issuer,
    guard: Arc<Guard>,
    clock: Arc<ManualClock>,
    keeping: JoinHandle<()>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

impl Kept {
    async fn start(manner: Manner) -> Self {
        Self::with_copies(Issuer::start(manner).await, None)
    }

    fn with_copies(issuer: Issuer, copies: Option<&Path>) -> Self {
        let clock = Arc::new(ManualClock::at(UtcMicros::from_seconds(NOW)));
        Self::at(issuer, copies, clock)
    }

    fn at(issuer: Issuer, copies: Option<&Path>, clock: Arc<ManualClock>) -> Self {
        let rules = IssuerRules::gatelog(GATELOG, vec!["orders".to_owned()]);
        let trust = Trust::new(vec![TrustedIssuer::without_keys(rules)]);
        let shared_clock: SharedClock = clock.clone();
        let guard = Arc::new(Guard::new(trust, shared_clock));
        guard.hear(&Page::default(), guard.clock().now());
        let origin = KeyOrigin {
            iss: GATELOG.to_owned(),
            jwks: issuer.jwks(),
        };
        let copies = copies.map(|folder| KeyCopies::in_folder(folder).unwrap());
        let keeping = tokio::spawn(keep_fresh(
            Arc::clone(&guard),
            pooled_client().unwrap(),
            origin,
            copies,
        ));
        Self {
            issuer,
            guard,
            clock,
            keeping,
        }
    }

    /// What is decided on a token at once.
    fn decides(&self, token: &str) -> &'static str {
        crate::token::outcome(&self.guard.admit(token, AudienceRule::Apis))
    }

    /// What is decided on a token by whoever can wait a moment.
    async fn decides_patiently(&self, token: &str) -> &'static str {
        let decided = self
            .guard
            .admit_patiently(token, AudienceRule::Apis, IfBlind::Refuse);
        crate::token::outcome(&decided.await)
    }

    async fn until(&self, what: &str, token: &str, outcome: &str) {
        until(what, || self.decides(token) == outcome).await;
    }
}

/// The public halves of Gatelog's keys `ed` and `ec`.
fn published(kids: &[&str]) -> Manner {
    let keys = WORLD.keys.iter().map(|key| key.jwk.clone());
    Manner::Keys(
        keys.filter(|jwk| kids.contains(&jwk["kid"].as_str().unwrap()))
            .collect(),
    )
}

/// A token by the key `ed`, good for a month.
fn token() -> String {
    by(0)
}

/// A token by one of Gatelog's keys.
fn by(key: usize) -> String {
    let (kid, algorithm) = crate::token::mint::KIDS[key];
    let head = json!({"typ": "at+jwt", "alg": algorithm.as_str(), "kid": kid});
    let claims = with(claims(), "exp", Some((NOW + 30 * 24 * 3_600).into()));
    WORLD.keys[key].sign(&head, &claims)
}
