//! Tries that were refused unread. They write nothing each; how many they were is told once a minute, by each replica for
//! itself, so that a crash loses a minute of them at most.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use shared::event::{Actor, Class, Outcome, action};

use super::bucket::{Kind, network_of};
use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::request::RequestContext;

/// Networks that are told apart in a minute; those beyond are told together.
const NETWORKS_MAX: usize = 256;

/// What stands for the networks beyond.
const OTHERS: &str = "others";

/// Refusals by what refused and by network.
#[derive(Debug, Default)]
pub(crate) struct Refusals(Mutex<BTreeMap<(&'static str, String), u64>>);

impl Refusals {
    /// Whether this replica has refused a try since it last told of them.
    pub(super) fn are_happening(&self) -> bool {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !counts.is_empty()
    }

    pub(super) fn count(&self, kind: Kind, ip: Option<&str>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (kind.as_str(), network_of(ip.unwrap_or_default()));
        let key = if counts.len() < NETWORKS_MAX || counts.contains_key(&key) {
            key
        } else {
            (kind.as_str(), OTHERS.to_owned())
        };
        let count = counts.entry(key).or_default();
        *count = count.saturating_add(1);
    }

    fn take(&self) -> BTreeMap<(&'static str, String), u64> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn put_back(&self, counts: BTreeMap<(&'static str, String), u64>) {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, count) in counts {
            let total = present.entry(key).or_default();
            *total = total.saturating_add(count);
        }
    }
}

/// Tells how many there were.
pub(super) async fn tell(app: &App) -> Result<(), ApiError> {
    let counts = app.refusals.take();
    if counts.is_empty() {
        return Ok(());
    }
    let telling = async {
        let mut tx = app.database.write().await?;
        for ((kind, network), count) in &counts {
            let facts = RequestContext::without_request()
                .facts(
                    Class::Auth,
                    action::EXCESS_RATE_LIMIT_EXCEEDED,
                    Outcome::Denied,
                    Actor::default(),
                )
                .because(kind)
                .with_detail("count", *count)
                .with_detail("network", network.as_str());
            outbox::append(&mut tx, app.now(), facts).await?;
        }
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    let told = telling.await;
    if told.is_err() {
        app.refusals.put_back(counts);
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_flood_from_many_networks_is_a_flood_of_counts_and_none_is_lost() {
        let refusals = Refusals::default();

        for number in 0..1000_u16 {
            let [high, low] = number.to_be_bytes();
            refusals.count(Kind::Account, Some(&format!("10.{high}.{low}.1")));
        }

        let counts = refusals.take();
        assert_eq!(counts.len(), NETWORKS_MAX + 1);
        assert_eq!(counts.values().sum::<u64>(), 1000);
        assert!(!refusals.are_happening());
        refusals.put_back(counts);
        assert!(refusals.are_happening());
        assert_eq!(refusals.take().values().sum::<u64>(), 1000);
    }
}
