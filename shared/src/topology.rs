//! The names of exchanges and queues on the broker, all under one prefix (DESIGN §4).

use std::fmt;
use std::str::FromStr;

/// The prefix of a deployment that shares its broker with no other.
pub const DEFAULT_PREFIX: &str = "gatelog";

/// How often the broker may redeliver a message whose consumer died before it goes to the dead-letter queue.
///
/// Set explicitly because RabbitMQ 4 defaults to 20 and 3.x to no limit. A database outage stops consumption and does not
/// count; a consumer that dies again and again takes along whatever it was sent ahead.
pub const DELIVERY_LIMIT: i32 = 50;

/// The longest prefix, so that every name stays far below AMQP's 255 bytes.
const PREFIX_LENGTH_MAX: usize = 64;

/// The names of one deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topology {
    prefix: String,
}

/// The prefix holds something else than lower-case letters and digits, or is empty or too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a topology prefix is 1 to 64 lower-case letters or digits")]
pub struct InvalidPrefix;

impl Topology {
    /// The topology under `prefix`: lower-case letters and digits, at most 64.
    pub fn new(prefix: &str) -> Result<Self, InvalidPrefix> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        if prefix.is_empty() || prefix.len() > PREFIX_LENGTH_MAX || !prefix.bytes().all(plain) {
            return Err(InvalidPrefix);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
        })
    }

    /// The topic exchange that takes every event; its keys are `class.action.outcome`.
    pub fn events_exchange(&self) -> String {
        self.name("events")
    }

    /// The quorum queue that competing collectors drain.
    pub fn collector_queue(&self) -> String {
        self.name("collector")
    }

    /// The exchange and the quorum queue for deliveries that crash their consumer again and again.
    pub fn dead(&self) -> String {
        self.name("dead")
    }

    /// The topic exchange over which auth-service tells every verifier what it must refuse.
    pub fn control_exchange(&self) -> String {
        self.name("control")
    }

    /// The queue of one verifier on that exchange; it goes with its connection.
    pub fn control_queue(&self, id: &str) -> String {
        format!("{}.{id}", self.control_exchange())
    }

    fn name(&self, part: &str) -> String {
        format!("{}.{part}", self.prefix)
    }
}

impl Default for Topology {
    fn default() -> Self {
        Self {
            prefix: DEFAULT_PREFIX.to_owned(),
        }
    }
}

impl FromStr for Topology {
    type Err = InvalidPrefix;

    fn from_str(prefix: &str) -> Result<Self, InvalidPrefix> {
        Self::new(prefix)
    }
}

impl fmt::Display for Topology {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_stands_under_the_prefix() {
        let topology = Topology::new("staging2").unwrap();

        assert_eq!(topology.events_exchange(), "staging2.events");
        assert_eq!(topology.collector_queue(), "staging2.collector");
        assert_eq!(topology.dead(), "staging2.dead");
        assert_eq!(topology.control_queue("x"), "staging2.control.x");
    }

    #[test]
    fn a_prefix_that_could_match_other_names_is_refused() {
        for prefix in ["", "a.b", "a#", "A", "ä", &"x".repeat(65)] {
            assert_eq!(Topology::new(prefix), Err(InvalidPrefix), "{prefix}");
        }
    }
}
