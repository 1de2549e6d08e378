//! The tasks that keep the keys of a policy's issuers fresh.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use shared::guard::Guard;
use shared::guard::keys::{KeyCopies, KeyOrigin, keep_fresh};
use shared::http::client::PooledClient;
use shared::token::{Trust, TrustedIssuer};
use tokio::task::{AbortHandle, JoinSet};

use crate::policy::{IssuerKeys, PolicyIssuer};

/// One task for each issuer whose keys are fetched. Dropped, they end.
#[derive(Debug)]
pub(crate) struct KeptKeys {
    guard: Arc<Guard>,
    client: PooledClient,
    copies: Option<KeyCopies>,
    tasks: JoinSet<()>,
    kept: HashMap<KeyOrigin, AbortHandle>,
}

impl KeptKeys {
    /// Begins to keep the keys of `issuers`, with copies on disk if there is a folder for them.
    pub(crate) fn begin(
        guard: &Arc<Guard>,
        client: &PooledClient,
        copies: Option<KeyCopies>,
        issuers: &[PolicyIssuer],
    ) -> Self {
        let mut keys = Self {
            guard: Arc::clone(guard),
            client: client.clone(),
            copies,
            tasks: JoinSet::new(),
            kept: HashMap::new(),
        };
        keys.replace(issuers);
        keys
    }

    /// Keeps those of `issuers` from now on. Who was asked before is not asked again out of turn.
    pub(super) fn replace(&mut self, issuers: &[PolicyIssuer]) {
        let wanted: HashSet<KeyOrigin> = issuers.iter().filter_map(fetched).collect();
        self.kept.retain(|origin, task| {
            let is_wanted = wanted.contains(origin);
            if !is_wanted {
                task.abort();
            }
            is_wanted
        });
        for origin in wanted {
            if self.kept.contains_key(&origin) {
                continue;
            }
            let task = self.tasks.spawn(keep_fresh(
                Arc::clone(&self.guard),
                self.client.clone(),
                origin.clone(),
                self.copies.clone(),
            ));
            self.kept.insert(origin, task);
        }
    }

    /// Waits until a task has ended by itself, which it does only when it has failed.
    pub(super) async fn ended(&mut self) {
        while let Some(ended) = self.tasks.join_next().await {
            if !ended.is_err_and(|error| error.is_cancelled()) {
                return;
            }
        }
        std::future::pending::<()>().await;
    }
}

fn fetched(issuer: &PolicyIssuer) -> Option<KeyOrigin> {
    match &issuer.keys {
        IssuerKeys::Fetched(jwks) => Some(KeyOrigin {
            iss: issuer.rules.iss.clone(),
            jwks: jwks.clone(),
        }),
        IssuerKeys::Secret(_) => None,
    }
}

/// Trust in `issuers`. The keys of those that are fetched are not known yet.
pub(crate) fn trust(issuers: &[PolicyIssuer]) -> Trust {
    let trusted = issuers.iter().map(|issuer| match &issuer.keys {
        IssuerKeys::Fetched(_) => TrustedIssuer::without_keys(issuer.rules.clone()),
        IssuerKeys::Secret(keys) => TrustedIssuer::with_keys(issuer.rules.clone(), Arc::clone(keys)),
    });
    Trust::new(trusted.collect())
}
