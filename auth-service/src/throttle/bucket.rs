//! What is counted: an account, an address, both together, a known device; and by which rule.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use shared::clock::UtcMicros;

use super::rule::{Rule, State};
use shared::sealing::{MasterKey, Underivable};

/// What the key is derived for.
const PURPOSE: &str = "gatelog throttle v1";

/// Bytes of an HMAC that make an id: 128 bits meet nobody else's by chance.
const ID_BYTES: usize = 16;

/// NIST SP 800-63B-4 §3.2.2: no more failures in a row than these.
const FAILURES_MAX: u32 = 100;

/// The key of the ids, so that nobody who reads the database can try names.
pub(crate) struct BucketKey(hmac::Key);

impl BucketKey {
    pub(crate) fn new(master_key: &MasterKey) -> Result<Self, Underivable> {
        let key = master_key.derive(PURPOSE)?;
        Ok(Self(hmac::Key::new(HMAC_SHA256, key.as_slice())))
    }

    fn id(&self, kind: Kind, parts: &[&str]) -> String {
        let tag = hmac::sign(&self.0, parts.join("\0").as_bytes());
        let short: Vec<u8> = tag.as_ref().iter().copied().take(ID_BYTES).collect();
        format!("{}-{}", kind.as_str(), URL_SAFE_NO_PAD.encode(short))
    }

    /// One of `count` numbers, always the same one for `text`.
    pub(super) fn slot(&self, text: &str, count: u16) -> u16 {
        let tag = hmac::sign(&self.0, text.as_bytes());
        match *tag.as_ref() {
            [high, low, ..] => u16::from_be_bytes([high, low]) % count,
            _ => 0,
        }
    }
}

impl fmt::Debug for BucketKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("BucketKey(…)")
    }
}

/// The kinds of buckets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A name, whoever tries it, known or not.
    Account,
    /// A name tried from one address.
    Pair,
    /// A device that its user has signed in on.
    Device,
    /// The second factor of a user.
    SecondFactor,
    /// One address, or what one customer has of IPv6.
    Host,
    /// What one network has: whoever changes addresses within it gains nothing.
    Network,
}

impl Kind {
    /// Its name in ids, in the database and in events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Pair => "pair",
            Self::Device => "device",
            Self::SecondFactor => "second_factor",
            Self::Host => "host",
            Self::Network => "network",
        }
    }

    /// Accounts wait for longer with each failure; addresses, which many people share, refill steadily. A pair is stricter than
    /// its account, so that one attacker is stopped before the account is.
    pub(super) const fn rule(self) -> Rule {
        match self {
            Self::Account | Self::Device => Rule::Backoff {
                free: 10,
                base: Duration::from_secs(15),
                max: Duration::from_hours(1),
                give_up: FAILURES_MAX,
            },
            Self::Pair | Self::SecondFactor => Rule::Backoff {
                free: 5,
                base: Duration::from_secs(15),
                max: Duration::from_hours(1),
                give_up: FAILURES_MAX,
            },
            Self::Host => Rule::Rate {
                burst: 50,
                every: Duration::from_secs(20),
            },
            Self::Network => Rule::Rate {
                burst: 200,
                every: Duration::from_secs(5),
            },
        }
    }

    /// Whether it counts failures in a row, which a success ends.
    pub(super) const fn is_in_a_row(self) -> bool {
        matches!(self.rule(), Rule::Backoff { .. })
    }

    /// When a bucket is as good as one that was never used.
    pub(super) fn forget_at(self, state: State, now: UtcMicros) -> UtcMicros {
        if state == State::FRESH {
            return now;
        }
        let kept = match self {
            Self::Account | Self::Device | Self::SecondFactor => Duration::from_hours(30 * 24),
            Self::Pair => Duration::from_hours(24),
            Self::Host | Self::Network => Duration::ZERO,
        };
        state.mark.max(now.plus(kept))
    }
}

/// Something whose failures are counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bucket {
    pub(super) id: String,
    pub(super) kind: Kind,
    /// What an operator is shown: a user's id, an address prefix, or both.
    pub(super) subject: Option<String>,
}

impl Bucket {
    /// The bucket of a name as it is compared.
    pub(crate) fn account(key: &BucketKey, name: &str, user_id: Option<&str>) -> Self {
        Self {
            id: key.id(Kind::Account, &["account", name]),
            kind: Kind::Account,
            subject: user_id.map(str::to_owned),
        }
    }

    /// The bucket of a name tried from one address.
    pub(crate) fn pair(key: &BucketKey, name: &str, user_id: Option<&str>, ip: &str) -> Self {
        let host = host_of(ip);
        Self {
            id: key.id(Kind::Pair, &["pair", name, &host]),
            kind: Kind::Pair,
            subject: Some(match user_id {
                Some(user_id) => format!("{user_id} {host}"),
                None => host,
            }),
        }
    }

    /// The bucket of a known device of a user.
    pub(crate) fn device(key: &BucketKey, token: &str, user_id: &str) -> Self {
        Self {
            id: key.id(Kind::Device, &["device", token]),
            kind: Kind::Device,
            subject: Some(user_id.to_owned()),
        }
    }

    /// The bucket of a user's second factor, wherever it is tried from: who tries it has the password already.
    pub(crate) fn second_factor(key: &BucketKey, user_id: &str) -> Self {
        Self {
            id: key.id(Kind::SecondFactor, &["second_factor", user_id]),
            kind: Kind::SecondFactor,
            subject: Some(user_id.to_owned()),
        }
    }

    /// The buckets of an address.
    pub(crate) fn of_address(key: &BucketKey, ip: &str) -> [Self; 2] {
        [(Kind::Host, host_of(ip)), (Kind::Network, network_of(ip))].map(|(kind, prefix)| Self {
            id: key.id(kind, &[kind.as_str(), &prefix]),
            kind,
            subject: Some(prefix),
        })
    }
}

/// One IPv4 address; of IPv6 a /64, which is the least that anybody gets.
fn host_of(ip: &str) -> String {
    prefix(ip, 32, 64)
}

/// A /24 of IPv4, the least that is routed; of IPv6 a /48, which is what one site gets.
pub(crate) fn network_of(ip: &str) -> String {
    prefix(ip, 24, 48)
}

fn prefix(ip: &str, v4: u8, v6: u8) -> String {
    let Ok(ip) = ip.parse::<IpAddr>() else {
        return "unknown".to_owned();
    };
    let ip = ip.to_canonical();
    let length = if ip.is_ipv4() { v4 } else { v6 };
    IpNet::new(ip, length).map_or_else(|_| ip.to_string(), |net| net.trunc().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> BucketKey {
        BucketKey::new(&"5a".repeat(32).parse().unwrap()).unwrap()
    }

    #[test]
    fn what_was_typed_is_in_no_id() {
        let bucket = Bucket::account(&key(), "hunter2hunter2", None);

        assert!(!format!("{bucket:?}").contains("hunter2"));
        assert_eq!(bucket, Bucket::account(&key(), "hunter2hunter2", None));
        assert_ne!(bucket.id, Bucket::account(&key(), "hunter3", None).id);
    }

    #[test]
    fn neighbours_share_their_network_and_not_their_address() {
        let of = |ip| Bucket::of_address(&key(), ip).map(|bucket| bucket.subject.unwrap());

        assert_eq!(of("203.0.113.9"), ["203.0.113.9/32", "203.0.113.0/24"]);
        assert_eq!(of("::ffff:203.0.113.9"), of("203.0.113.9"));
        assert_eq!(
            of("2001:db8:1:2:3:4:5:6"),
            ["2001:db8:1:2::/64", "2001:db8:1::/48"]
        );
        assert_eq!(of("2001:db8:1:2::9")[0], of("2001:db8:1:2:3::")[0]);
        assert_eq!(of("2001:db8:1:3::9")[1], of("2001:db8:1:2:3::")[1]);
    }

    #[test]
    fn one_attacker_is_stopped_before_the_account_is() {
        let free = |kind: Kind| match kind.rule() {
            Rule::Backoff { free, .. } => free,
            Rule::Rate { burst, .. } => burst,
        };

        assert!(free(Kind::Pair) < free(Kind::Account));
        assert!(free(Kind::Account) < free(Kind::Host));
        assert!(free(Kind::Host) < free(Kind::Network));
    }
}
