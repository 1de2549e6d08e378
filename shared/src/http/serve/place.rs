//! Room for connections: so many at a time, and so many of them from one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use ipnet::IpNet;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::http::client_addr::is_trusted;
use crate::runtime::shutdown::TaskTrackerToken;

/// All places.
#[derive(Debug)]
pub(super) struct Places {
    all: Arc<Semaphore>,
    per_address_max: usize,
    /// Proxies speak for many clients.
    uncounted: Vec<IpNet>,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection, free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: Option<OwnedSemaphorePermit>,
    _tracked: TaskTrackerToken,
    _of_address: Option<AddressPlace>,
}

#[derive(Debug)]
struct AddressPlace {
    address: IpAddr,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

impl Places {
    pub(super) fn new(connections_max: usize, per_address_max: usize, uncounted: Vec<IpNet>) -> Self {
        Self {
            all: Arc::new(Semaphore::new(connections_max)),
            per_address_max,
            uncounted,
            taken: Arc::default(),
        }
    }

    /// Waits until there is room for one more connection.
    pub(super) async fn permit(&self) -> Option<OwnedSemaphorePermit> {
        // It is never closed.
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// The place of a connection from `peer`; none if that address has as many as it may.
    pub(super) fn place(
        &self,
        permit: Option<OwnedSemaphorePermit>,
        tracked: TaskTrackerToken,
        peer: IpAddr,
    ) -> Option<Place> {
        let of_address = if is_trusted(peer, &self.uncounted) {
            None
        } else {
            Some(self.of_address(counted_as(peer))?)
        };
        Some(Place {
            _permit: permit,
            _tracked: tracked,
            _of_address: of_address,
        })
    }

    fn of_address(&self, address: IpAddr) -> Option<AddressPlace> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= self.per_address_max {
            return None;
        }
        *count += 1;
        Some(AddressPlace {
            address,
            taken: Arc::clone(&self.taken),
        })
    }
}

impl Drop for AddressPlace {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// One client of IPv6 has at least a /64 to itself, so that is counted as one address.
fn counted_as(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::shutdown::TaskTracker;

    fn place(places: &Places, peer: &str) -> Option<Place> {
        places.place(None, TaskTracker::new().token(), peer.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let places = Places::new(10, 2, vec![]);
        let first = place(&places, "192.0.2.1");
        let second = place(&places, "::ffff:192.0.2.1");
        assert!(first.is_some() && second.is_some());

        assert!(place(&places, "192.0.2.1").is_none());
        assert!(place(&places, "192.0.2.2").is_some());
        drop(first);

        assert!(place(&places, "192.0.2.1").is_some());
        drop(second);
        assert!(places.taken.lock().unwrap().is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client_and_a_proxy_is_many() {
        let places = Places::new(10, 1, vec!["10.0.0.0/8".parse().unwrap()]);
        let _held = place(&places, "2001:db8::1");

        assert!(place(&places, "2001:db8::ffff").is_none());
        assert!(place(&places, "2001:db8:0:1::1").is_some());
        let proxied: Vec<_> = (0..5).map(|_| place(&places, "10.0.0.1")).collect();
        assert!(proxied.iter().all(Option::is_some));
    }
}
