//! The tasks that keep the keys of a policy's issuers fresh.

use std::sync::Arc;

use shared::guard::Guard;
use shared::guard::keys::{KeyRefresh, keep_fresh};
use shared::http::client::PooledClient;
use shared::token::{Trust, TrustedIssuer};
use tokio::task::JoinSet;

use crate::policy::{IssuerKeys, PolicyIssuer};

/// One task for each issuer whose keys are fetched. Dropped, they end.
#[derive(Debug)]
pub(crate) struct KeptKeys {
    tasks: JoinSet<()>,
    refresh: KeyRefresh,
}

impl KeptKeys {
    /// Begins to keep the keys of `issuers`.
    pub(crate) fn begin(guard: &Arc<Guard>, client: &PooledClient, issuers: &[PolicyIssuer]) -> Self {
        let fetched: Vec<_> = issuers.iter().filter_map(fetched).collect();
        let refresh = KeyRefresh::for_issuers(fetched.iter().map(|(iss, _)| *iss));
        let mut tasks = JoinSet::new();
        for (iss, jwks) in fetched {
            tasks.spawn(keep_fresh(
                Arc::clone(guard),
                refresh.clone(),
                client.clone(),
                iss.to_owned(),
                jwks.clone(),
            ));
        }
        Self { tasks, refresh }
    }

    /// Keeps those of `issuers` from now on.
    pub(super) fn replace(&mut self, guard: &Arc<Guard>, client: &PooledClient, issuers: &[PolicyIssuer]) {
        *self = Self::begin(guard, client, issuers);
    }

    /// What asks for an issuer's keys sooner than planned.
    pub(crate) fn refresh(&self) -> KeyRefresh {
        self.refresh.clone()
    }

    /// Waits until a task has ended by itself, which it does only when it has failed.
    pub(super) async fn ended(&mut self) {
        if self.tasks.join_next().await.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

fn fetched(issuer: &PolicyIssuer) -> Option<(&str, &http::Uri)> {
    match &issuer.keys {
        IssuerKeys::Fetched(jwks) => Some((issuer.rules.iss.as_str(), jwks)),
        IssuerKeys::Secret(_) => None,
    }
}

/// Trust in `issuers`. The keys of those that are fetched are not known yet.
pub(crate) fn trust(issuers: &[PolicyIssuer]) -> Trust {
    let trusted = issuers.iter().map(|issuer| TrustedIssuer {
        rules: issuer.rules.clone(),
        keys: match &issuer.keys {
            IssuerKeys::Fetched(_) => None,
            IssuerKeys::Secret(keys) => Some(Arc::clone(keys)),
        },
    });
    Trust::new(trusted.collect())
}
