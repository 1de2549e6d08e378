//! An event as a row: the columns that one can search by. Pure.
//!
//! Columns are bounded, since an index refuses long values, and hold no NUL, which PostgreSQL refuses in texts. The body
//! keeps what was really sent; searches bring their values into the same form by [`searchable`].

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use shared::clock::UtcMicros;
use shared::event::{Event, Identity, bounded};
use uuid::Uuid;

use super::Keeping;
use crate::enrichment::{Country, Locality};

/// The longest text in a column, in bytes. An index of PostgreSQL takes 2,704 bytes for all of its columns.
const COLUMN_BYTES_MAX: usize = 1024;

/// A producer's clock may be ahead by this much before the event is suspect.
const AHEAD_MAX_SECONDS: i64 = 5 * 60;

/// An event may come this late, for instance from a spool, before it is suspect.
const BEHIND_MAX_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A row of the table `event`, without its batch.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    pub(crate) id: Uuid,
    pub(crate) class: &'static str,
    pub(crate) time: i64,
    pub(crate) ordinal: i32,
    pub(crate) time_suspect: bool,
    pub(crate) service: &'a str,
    pub(crate) instance: &'a str,
    pub(crate) boot: Uuid,
    pub(crate) seq: i64,
    pub(crate) action: Cow<'a, str>,
    pub(crate) outcome: &'static str,
    pub(crate) reason: Option<Cow<'a, str>>,
    pub(crate) identity: &'static str,
    pub(crate) sub: Option<Cow<'a, str>>,
    pub(crate) username: Option<Cow<'a, str>>,
    pub(crate) client_id: Option<Cow<'a, str>>,
    pub(crate) sid: Option<Cow<'a, str>>,
    pub(crate) jti: Option<Cow<'a, str>>,
    pub(crate) ip: Option<[u8; 16]>,
    pub(crate) route: Option<Cow<'a, str>>,
    pub(crate) template: Option<Cow<'a, str>>,
    pub(crate) path: Option<Cow<'a, str>>,
    pub(crate) method: Option<Cow<'a, str>>,
    pub(crate) status: Option<i32>,
    pub(crate) duration_us: Option<i64>,
    pub(crate) request_id: Option<Cow<'a, str>>,
    pub(crate) locality: Locality,
    pub(crate) body: &'a [u8],
    pub(crate) sealed: Option<&'a [u8]>,
}

impl<'a> Row<'a> {
    /// The row of what is kept as number `ordinal` of a batch recorded at `recorded_at`.
    pub(super) fn of(keeping: &'a Keeping, ordinal: i32, recorded_at: UtcMicros) -> Self {
        Self {
            ordinal,
            body: &keeping.arrival.body,
            sealed: keeping.sealed.as_deref(),
            ..Self::of_event(&keeping.arrival.event, keeping.locality, recorded_at)
        }
    }

    /// The columns of an event from `locality` that was recorded at `recorded_at`, without its place and its body.
    pub(crate) fn of_event(event: &'a Event, locality: Locality, recorded_at: UtcMicros) -> Self {
        let facts = &event.facts;
        let text = |value: &'a Option<String>| value.as_deref().map(searchable);
        let (actor, http) = (&facts.actor, facts.http.as_ref());
        let ip = facts.client.as_ref().and_then(|client| client.ip.as_deref());
        Self {
            id: event.id,
            class: facts.class.as_str(),
            time: event.time.as_micros(),
            ordinal: 0,
            time_suspect: is_suspect(event, recorded_at),
            service: &event.source.service,
            instance: &event.source.instance,
            boot: event.source.boot,
            // The wire format admits no larger number than fits.
            seq: event.seq.cast_signed(),
            action: searchable(&facts.action),
            outcome: facts.outcome.as_str(),
            reason: text(&facts.reason),
            identity: identity_word(actor.identity),
            sub: text(&actor.sub),
            username: text(&actor.username),
            client_id: text(&actor.client_id),
            sid: text(&actor.sid),
            jti: text(&actor.jti),
            ip: ip.and_then(|ip| ip.parse().ok()).map(address_bytes),
            route: facts.policy.as_ref().and_then(|policy| text(&policy.route)),
            template: http.and_then(|http| text(&http.route)),
            path: http.map(|http| searchable(&http.path)),
            method: http.map(|http| searchable(&http.method)),
            status: http.and_then(|http| http.status).map(i32::from),
            duration_us: http
                .and_then(|http| http.duration_us)
                .and_then(|micros| i64::try_from(micros).ok()),
            request_id: facts.trace.as_ref().map(|trace| searchable(&trace.request_id)),
            locality,
            body: &[],
            sealed: None,
        }
    }
}

impl Row<'_> {
    pub(crate) fn country(&self) -> Option<&str> {
        self.locality.country.as_ref().map(Country::as_str)
    }

    pub(crate) fn asn(&self) -> Option<i64> {
        self.locality.asn.map(i64::from)
    }
}

/// A text in the form that columns hold.
pub(crate) fn searchable(text: &str) -> Cow<'_, str> {
    if text.len() <= COLUMN_BYTES_MAX && !text.contains('\0') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(bounded(&text.replace('\0', "\u{fffd}"), COLUMN_BYTES_MAX))
}

/// An address in the form that columns hold: 16 bytes, IPv4 as `::ffff:a.b.c.d`, so that a network is a range.
pub(crate) fn address_bytes(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}

/// The address that 16 bytes stand for.
pub(crate) fn address_of_bytes(bytes: [u8; 16]) -> IpAddr {
    IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical()
}

/// How far an actor is to be believed, as columns hold it.
pub(crate) const fn identity_word(identity: Identity) -> &'static str {
    match identity {
        Identity::Verified => "verified",
        Identity::Claimed => "claimed",
        Identity::None => "none",
    }
}

/// Whether the producer's clock and ours differ by more than a delay explains. What was imported may be as old as it likes.
pub(super) fn is_suspect(event: &Event, recorded_at: UtcMicros) -> bool {
    let ahead = event.time.as_seconds().saturating_sub(recorded_at.as_seconds());
    let is_imported = event.source.is_import();
    ahead > AHEAD_MAX_SECONDS || (ahead < -BEHIND_MAX_SECONDS && !is_imported)
}

#[cfg(test)]
mod tests {
    use shared::event::{Class, Draft, Facts, IMPORT_SERVICE, Outcome, Source};

    use super::*;

    #[test]
    fn a_clock_is_suspect_beyond_five_minutes_ahead_and_seven_days_behind() {
        let recorded_at = UtcMicros::from_seconds(1_000_000);
        let cases = [(300, false), (301, true), (-604_800, false), (-604_801, true)];

        for (offset, expected) in cases {
            let event = event_of("api-service", 1_000_000 + offset);
            assert_eq!(is_suspect(&event, recorded_at), expected, "{offset}");
        }
        assert!(!is_suspect(&event_of(IMPORT_SERVICE, 0), recorded_at));
        assert!(is_suspect(&event_of(IMPORT_SERVICE, 2_000_000), recorded_at));
    }

    fn event_of(service: &str, seconds: i64) -> Event {
        let source = Source {
            service: service.into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        let facts = Facts::new(Class::Access, "api_request", Outcome::Granted);
        Draft::new(UtcMicros::from_seconds(seconds), facts).numbered(source, 1)
    }

    #[test]
    fn a_column_holds_no_nul_and_nothing_an_index_refuses() {
        let text = format!("a\0b{}", "ä".repeat(4000));

        let column = searchable(&text);

        assert!(column.starts_with("a\u{fffd}b"));
        assert!(column.len() <= COLUMN_BYTES_MAX);
    }

    #[test]
    fn an_address_is_the_same_in_both_its_forms() {
        let plain: IpAddr = "192.0.2.7".parse().unwrap();
        let mapped: IpAddr = "::ffff:192.0.2.7".parse().unwrap();

        assert_eq!(address_bytes(plain), address_bytes(mapped));
        assert_eq!(address_of_bytes(address_bytes(mapped)), plain);
    }
}
