//! What can be ordered, of whom, for how long, and who is spared. Pure.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// The bounds of auth-service on a block.
const LIFETIME_MIN: Duration = Duration::from_mins(1);
const LIFETIME_MAX: Duration = Duration::from_hours(30 * 24);

/// How long something is kept out unless the order says so.
const LIFETIME: Duration = Duration::from_hours(1);

/// Ids are shorter, in bytes.
const VALUE_BYTES_MAX: usize = 128;

/// What can be done about an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// A session ends, for good.
    RevokeSession,
    /// A token is refused for as long as one lives at most.
    RevokeToken,
    /// A user is disabled and its sessions end.
    LockAccount,
    /// An address is refused at the doors.
    BlockAddress,
    /// A user or a client is refused at the doors.
    BlockSubject,
    /// A user is refused until it signs in again.
    RequireStepUp,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 6] = [
        Self::RevokeSession,
        Self::RevokeToken,
        Self::LockAccount,
        Self::BlockAddress,
        Self::BlockSubject,
        Self::RequireStepUp,
    ];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RevokeSession => "revoke_session",
            Self::RevokeToken => "revoke_token",
            Self::LockAccount => "lock_account",
            Self::BlockAddress => "block_address",
            Self::BlockSubject => "block_subject",
            Self::RequireStepUp => "require_step_up",
        }
    }

    /// The action that a word stands for.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == word)
    }

    /// The field of events that says whom it is about.
    pub const fn field(self) -> &'static str {
        match self {
            Self::RevokeSession => "actor.sid",
            Self::RevokeToken => "actor.jti",
            Self::LockAccount | Self::BlockSubject | Self::RequireStepUp => "actor.sub",
            Self::BlockAddress => "client.ip",
        }
    }

    /// Whether it can be undone, and is over by itself after a while.
    pub const fn is_lasting(self) -> bool {
        !matches!(self, Self::RevokeSession)
    }
}

/// An order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// What is to be done.
    pub action: Action,
    /// To whom or what.
    pub value: String,
    /// For how long; `None` for what is final.
    pub lifetime: Option<Duration>,
}

/// What is wrong with an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOrder {
    #[error("a value is an id of 1 to {VALUE_BYTES_MAX} bytes without spaces")]
    Value,
    #[error("that is no address; whole networks are kept out by administrators only")]
    Address,
    #[error("what is ordered lasts from a minute to thirty days")]
    Lifetime,
    #[error("a session ends for good: it has no duration")]
    Final,
}

impl Order {
    /// An order that makes sense.
    pub(crate) fn new(action: Action, value: &str, lifetime: Option<Duration>) -> Result<Self, InvalidOrder> {
        let value = match action {
            Action::BlockAddress => {
                let address: IpAddr = value.parse().map_err(|_| InvalidOrder::Address)?;
                address.to_canonical().to_string()
            }
            _ if is_id(value) => value.to_owned(),
            _ => return Err(InvalidOrder::Value),
        };
        if lifetime.is_some_and(|lifetime| !(LIFETIME_MIN..=LIFETIME_MAX).contains(&lifetime)) {
            return Err(InvalidOrder::Lifetime);
        }
        if lifetime.is_some() && !action.is_lasting() {
            return Err(InvalidOrder::Final);
        }
        Ok(Self {
            action,
            value,
            lifetime: action.is_lasting().then(|| lifetime.unwrap_or(LIFETIME)),
        })
    }
}

/// Whether it can be an id, which stands in a path.
fn is_id(text: &str) -> bool {
    let is_strange = |c: char| c.is_control() || c.is_whitespace() || c == '/' || c == '?';
    (1..=VALUE_BYTES_MAX).contains(&text.len()) && !text.contains(is_strange)
}

/// Somebody whom no order may touch: a network, or the id of a user or client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spare {
    /// Addresses.
    Network(IpNet),
    /// A subject.
    Subject(String),
}

impl FromStr for Spare {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        Ok(network.map_or_else(|_| Self::Subject(text.to_owned()), Self::Network))
    }
}

/// All who are spared.
#[derive(Clone, Debug, Default)]
pub struct Spared {
    networks: Vec<IpNet>,
    subjects: BTreeSet<String>,
}

impl Spared {
    /// Those that are named, and the proxies behind which everybody comes.
    pub fn new(named: impl IntoIterator<Item = Spare>, proxies: &[IpNet]) -> Self {
        let mut spared = Self {
            networks: proxies.to_vec(),
            subjects: BTreeSet::new(),
        };
        for spare in named {
            match spare {
                Spare::Network(network) => spared.networks.push(network),
                Spare::Subject(subject) => drop(spared.subjects.insert(subject)),
            }
        }
        spared
    }

    /// Whether an order would touch one of them. Whose session or token an id names is not known here.
    pub fn covers(&self, order: &Order) -> bool {
        match order.action {
            Action::RevokeSession | Action::RevokeToken => false,
            Action::LockAccount | Action::BlockSubject | Action::RequireStepUp => {
                self.subjects.contains(&order.value)
            }
            Action::BlockAddress => order.value.parse::<IpAddr>().is_ok_and(|address| {
                address.is_loopback() || self.networks.iter().any(|network| network.contains(&address))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_that_make_no_sense_are_refused() {
        let minutes = |count| Some(Duration::from_mins(count));
        for (action, value, lifetime, problem) in [
            (Action::RevokeSession, "", None, InvalidOrder::Value),
            (Action::RevokeSession, "a/../b", None, InvalidOrder::Value),
            (Action::RevokeSession, "s", minutes(5), InvalidOrder::Final),
            (Action::BlockAddress, "192.0.2.0/24", None, InvalidOrder::Address),
            (Action::BlockAddress, "alice", None, InvalidOrder::Address),
            (
                Action::BlockSubject,
                "usr_1",
                minutes(60 * 24 * 31),
                InvalidOrder::Lifetime,
            ),
            (
                Action::LockAccount,
                "usr_1",
                Some(Duration::from_secs(1)),
                InvalidOrder::Lifetime,
            ),
        ] {
            assert_eq!(
                Order::new(action, value, lifetime),
                Err(problem),
                "{action:?} {value}"
            );
        }
        let mapped = Order::new(Action::BlockAddress, "::ffff:192.0.2.1", None).unwrap();
        assert_eq!(
            (mapped.value.as_str(), mapped.lifetime),
            ("192.0.2.1", Some(LIFETIME))
        );
        for action in Action::ALL {
            assert_eq!(Action::parse(action.as_str()), Some(action));
            assert_eq!(serde_json::json!(action), action.as_str());
        }
    }

    #[test]
    fn proxies_loopback_and_whoever_is_named_are_spared() {
        let named = ["198.51.100.7", "usr_root"].map(|text| text.parse().unwrap());
        let spared = Spared::new(named, &["10.0.0.0/8".parse().unwrap()]);
        let covers = |action, value| spared.covers(&Order::new(action, value, None).unwrap());

        for address in ["127.0.0.1", "::1", "10.1.2.3", "198.51.100.7"] {
            assert!(covers(Action::BlockAddress, address), "{address}");
        }
        assert!(!covers(Action::BlockAddress, "198.51.100.8"));
        assert!(covers(Action::LockAccount, "usr_root") && covers(Action::BlockSubject, "usr_root"));
        assert!(!covers(Action::BlockSubject, "usr_1"));
    }
}
