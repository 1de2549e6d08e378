//! A limit on a route: what it counts by and how much it allows.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use serde::Deserialize;
use shared::token::Verified;

use super::quota::Quota;
use super::table::Key;

/// What a limit counts by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// The address that requests come from; of IPv6 the network of 64 bits, since whoever has one address has them all.
    Address,
    /// Nothing: all requests of the route together.
    Route,
    /// The subject.
    Sub,
    /// The client that the token was minted for, or the subject if it names none.
    Client,
    /// The session, or the subject if it names none.
    Session,
    /// The token, or the subject if it has no id.
    Token,
}

impl Per {
    /// The word in policy files, headers, events and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Route => "route",
            Self::Sub => "sub",
            Self::Client => "client",
            Self::Session => "session",
            Self::Token => "token",
        }
    }

    /// Whether it can be counted only when it is known who calls.
    pub const fn needs_caller(self) -> bool {
        !matches!(self, Self::Address | Self::Route)
    }
}

impl fmt::Display for Per {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A limit on a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RateRule {
    /// What it counts by.
    pub per: Per,
    /// How much it allows.
    pub quota: Quota,
    /// What it is called towards clients, in events and on the command line.
    pub name: String,
    /// What its counts are kept under: the same text is the same limit, also after the policy was read again.
    scope: String,
}

impl RateRule {
    /// A limit on the route named `route`.
    pub fn on(route: &str, per: Per, quota: Quota) -> Self {
        Self {
            per,
            quota,
            name: format!("{per} {}", quota.limit()),
            scope: format!("route {route} {per} {quota}"),
        }
    }

    /// The limit on how often an address may be refused for want of a good token.
    pub fn on_refusals(quota: Quota) -> Self {
        Self {
            per: Per::Address,
            quota,
            name: format!("refusals {}", quota.limit()),
            scope: format!("refusals {quota}"),
        }
    }

    /// What its counts are kept under.
    pub(super) fn scope(&self) -> &str {
        &self.scope
    }

    /// The key of a request that comes from `ip`.
    pub(super) fn key_of_stranger(&self, ip: IpAddr) -> Key {
        match self.per {
            Per::Address => Key::of(&[&self.scope, &network(ip).to_string()]),
            _ => Key::of(&[&self.scope]),
        }
    }

    /// The key of a request of `caller`. Subjects of two issuers are two, whatever they are called.
    pub(super) fn key_of_caller(&self, caller: &Verified) -> Key {
        let own = match self.per {
            Per::Client => caller.client_id.as_deref(),
            Per::Session => caller.sid.as_deref(),
            Per::Token => caller.jti.as_deref(),
            Per::Sub | Per::Address | Per::Route => None,
        };
        let named: Cow<'_, str> = match own {
            Some(own) => Cow::Borrowed(own),
            None => Cow::Owned(format!("sub {}", caller.sub)),
        };
        Key::of(&[&self.scope, &caller.iss, &named])
    }
}

impl fmt::Display for RateRule {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} per {}", self.quota, self.per)
    }
}

/// The address, or of IPv6 the first of its network of 64 bits.
fn network(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(ip) => IpAddr::V4(ip),
        IpAddr::V6(ip) => IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & !u128::from(u64::MAX))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ip: &str) -> Key {
        let quota = Quota::parse("1/s", None).unwrap();
        RateRule::on("r", Per::Address, quota).key_of_stranger(ip.parse().unwrap())
    }

    #[test]
    fn an_ipv6_network_of_64_bits_is_one_and_ipv4_in_ipv6_s_clothes_is_ipv4() {
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1:2:3"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn the_same_limit_on_another_route_and_another_limit_on_the_same_count_for_themselves() {
        let quota = |limit| Quota::parse(limit, None).unwrap();
        let key = |route, limit| {
            RateRule::on(route, Per::Route, quota(limit)).key_of_stranger(IpAddr::V6(Ipv6Addr::LOCALHOST))
        };

        assert_eq!(key("a", "1/s"), key("a", "1/s"));
        assert_ne!(key("a", "1/s"), key("b", "1/s"));
        assert_ne!(key("a", "1/s"), key("a", "2/s"));
    }
}
