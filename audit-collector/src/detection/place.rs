//! Where the client of an event was.

use shared::event::Event;

use crate::enrichment::{Locality, Place};
use crate::event_log::EventLog;
use crate::pseudonym::Unsealed;

/// Where the client of an event was, of which `original` is known if it has pseudonyms.
pub(super) fn place(log: &EventLog, event: &Event, locality: Locality, original: &Unsealed) -> Option<Place> {
    let ip = event
        .facts
        .client
        .as_ref()
        .and_then(|client| client.ip.as_deref());
    let ip = ip.and_then(|ip| original.behind(ip));
    located(ip.and_then(|ip| log.places()?.of(ip)), locality)
}

/// Where a client is now, and was when the event was stored: what was kept holds, and only where it was more exactly is looked up.
fn located(now: Option<Place>, then: Locality) -> Option<Place> {
    if then == Locality::default() {
        return now;
    }
    let now = now.unwrap_or_default();
    Some(Place {
        country: then.country.or(now.country),
        asn: then.asn.or(now.asn),
        ..now
    })
}
