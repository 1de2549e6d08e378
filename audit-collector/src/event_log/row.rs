//! An event as a row: the columns that one can search by. Pure.
//!
//! Columns are bounded, since an index refuses long values, and hold no NUL, which PostgreSQL refuses in texts. The body
//! keeps what was really sent; searches bring their values into the same form by [`searchable`].

use std::net::{IpAddr, Ipv6Addr};

use shared::clock::UtcMicros;
use shared::event::{Identity, bounded};
use uuid::Uuid;

use super::Arrival;

/// The longest text in a column, in bytes. An index of PostgreSQL takes 2,704 bytes for all of its columns.
const COLUMN_BYTES_MAX: usize = 1024;

/// A producer's clock may be ahead by this much before the event is suspect.
const AHEAD_MAX_SECONDS: i64 = 5 * 60;

/// An event may come this late, for instance from a spool, before it is suspect.
const BEHIND_MAX_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A row of the table `event`, without its batch.
#[derive(Debug)]
pub(super) struct Row<'a> {
    pub(super) id: Uuid,
    pub(super) class: &'static str,
    pub(super) time: i64,
    pub(super) ordinal: i32,
    pub(super) time_suspect: bool,
    pub(super) service: &'a str,
    pub(super) instance: &'a str,
    pub(super) boot: Uuid,
    pub(super) seq: i64,
    pub(super) action: String,
    pub(super) outcome: &'static str,
    pub(super) reason: Option<String>,
    pub(super) identity: &'static str,
    pub(super) sub: Option<String>,
    pub(super) username: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) sid: Option<String>,
    pub(super) jti: Option<String>,
    pub(super) ip: Option<Vec<u8>>,
    pub(super) route: Option<String>,
    pub(super) template: Option<String>,
    pub(super) path: Option<String>,
    pub(super) status: Option<i32>,
    pub(super) request_id: Option<String>,
    pub(super) body: &'a [u8],
}

impl<'a> Row<'a> {
    /// The row of `arrival`, which is number `ordinal` of a batch recorded at `recorded_at`.
    pub(super) fn of(arrival: &'a Arrival, ordinal: i32, recorded_at: UtcMicros) -> Self {
        let (event, facts) = (&arrival.event, &arrival.event.facts);
        let text = |value: &Option<String>| value.as_deref().map(searchable);
        let (actor, http) = (&facts.actor, facts.http.as_ref());
        let ip = facts.client.as_ref().and_then(|client| client.ip.as_deref());
        Self {
            id: event.id,
            class: facts.class.as_str(),
            time: event.time.as_micros(),
            ordinal,
            time_suspect: is_suspect(event.time, recorded_at),
            service: &event.source.service,
            instance: &event.source.instance,
            boot: event.source.boot,
            // The wire format admits no larger number than fits.
            seq: event.seq.cast_signed(),
            action: searchable(&facts.action),
            outcome: facts.outcome.as_str(),
            reason: text(&facts.reason),
            identity: identity(actor.identity),
            sub: text(&actor.sub),
            username: text(&actor.username),
            client_id: text(&actor.client_id),
            sid: text(&actor.sid),
            jti: text(&actor.jti),
            ip: ip
                .and_then(|ip| ip.parse().ok())
                .map(|ip| address_bytes(ip).to_vec()),
            route: facts.policy.as_ref().and_then(|policy| text(&policy.route)),
            template: http.and_then(|http| text(&http.route)),
            path: http.map(|http| searchable(&http.path)),
            status: http.and_then(|http| http.status).map(i32::from),
            request_id: facts.trace.as_ref().map(|trace| searchable(&trace.request_id)),
            body: &arrival.body,
        }
    }
}

/// A text in the form that columns hold.
pub(crate) fn searchable(text: &str) -> String {
    bounded(&text.replace('\0', "\u{fffd}"), COLUMN_BYTES_MAX)
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

const fn identity(identity: Identity) -> &'static str {
    match identity {
        Identity::Verified => "verified",
        Identity::Claimed => "claimed",
        Identity::None => "none",
    }
}

/// Whether the producer's clock and ours differ by more than a delay explains.
fn is_suspect(time: UtcMicros, recorded_at: UtcMicros) -> bool {
    let ahead = time.as_seconds().saturating_sub(recorded_at.as_seconds());
    !(-BEHIND_MAX_SECONDS..=AHEAD_MAX_SECONDS).contains(&ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_suspect_beyond_five_minutes_ahead_and_seven_days_behind() {
        let recorded_at = UtcMicros::from_seconds(1_000_000);
        let cases = [(300, false), (301, true), (-604_800, false), (-604_801, true)];

        for (offset, expected) in cases {
            let time = UtcMicros::from_seconds(1_000_000 + offset);
            assert_eq!(is_suspect(time, recorded_at), expected, "{offset}");
        }
    }

    #[test]
    fn a_column_holds_no_nul_and_nothing_an_index_refuses() {
        let column = searchable(&format!("a\0b{}", "ä".repeat(4000)));

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
