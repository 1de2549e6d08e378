//! A fair share of the queue: one network never takes all of its places.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Places that each network has taken.
#[derive(Clone, Debug)]
pub(super) struct Shares {
    taken: Arc<Mutex<HashMap<String, usize>>>,
    max: usize,
}

/// A place that counts for its network until it is dropped.
#[derive(Debug)]
pub(super) struct Share {
    shares: Shares,
    network: String,
}

impl Shares {
    /// Half of `places` for each at most.
    pub(super) fn of(places: usize) -> Self {
        Self {
            taken: Arc::default(),
            max: (places / 2).max(1),
        }
    }

    /// Takes a place for a network, unless it has its share.
    pub(super) fn take(&self, network: &str) -> Option<Share> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(network.to_owned()).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        Some(Share {
            shares: self.clone(),
            network: network.to_owned(),
        })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut taken = self.shares.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.network) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                taken.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_gets_half_and_the_others_theirs_and_nothing_stays() {
        let shares = Shares::of(8);
        let held: Vec<_> = (0..10).filter_map(|_| shares.take("10.0.0.0/24")).collect();

        assert_eq!(held.len(), 4);
        assert!(shares.take("10.0.1.0/24").is_some());
        drop(held);
        assert!(shares.take("10.0.0.0/24").is_some());
        assert!(shares.taken.lock().unwrap().is_empty());
    }
}
