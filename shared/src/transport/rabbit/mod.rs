//! The transport over RabbitMQ: topology, a publisher with pipelined confirms, a consumer with batched acknowledgement.
//!
//! No automatic recovery of the library is used: a failed connection is dropped, and the next call makes a new one.

mod consume;
mod control;
mod declare;
mod look;
mod pack;
mod publish;

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use lapin::types::ShortString;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use secrecy::{ExposeSecret as _, SecretString};

use crate::topology::Topology;
pub(super) use consume::RabbitConsumer;
pub(super) use control::{RabbitAnnouncer, RabbitListener};
pub use look::{Part, PartState};
pub(super) use publish::{RabbitConfirms, RabbitPublisher};

/// Without heartbeats a dead peer may take eleven minutes to notice; RabbitMQ advises 5 to 20 seconds.
const HEARTBEAT_SECONDS: u16 = 10;

/// How long connecting and declaring may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The address of a broker with its credentials. Never shown.
#[derive(Clone)]
pub struct BrokerUrl {
    url: SecretString,
    user: String,
}

/// The address is not of the form `amqp[s]://user:password@host[:port]/vhost`. Does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form amqp://user:password@host:port/vhost (amqps:// for TLS, %2f for the vhost `/`)")]
pub struct InvalidBrokerUrl;

impl FromStr for BrokerUrl {
    type Err = InvalidBrokerUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBrokerUrl> {
        let uri: AMQPUri = text.parse().map_err(|_| InvalidBrokerUrl)?;
        Ok(Self {
            url: text.to_owned().into(),
            user: uri.authority.userinfo.username,
        })
    }
}

impl BrokerUrl {
    /// The user name in it.
    pub fn user(&self) -> &str {
        &self.user
    }
}

impl fmt::Debug for BrokerUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "BrokerUrl(user {})", self.user)
    }
}

/// A broker and the names on it.
#[derive(Clone, Debug)]
pub struct Broker {
    /// Where it is and who we are there.
    pub url: BrokerUrl,
    /// The names on it.
    pub topology: Topology,
    /// What the connection is called in the broker's own lists.
    pub connection_name: String,
}

impl Broker {
    async fn connect(&self) -> Result<Connection, lapin::Error> {
        let invalid = |_| lapin::Error::from(std::io::Error::from(std::io::ErrorKind::InvalidInput));
        let mut uri: AMQPUri = self.url.url.expose_secret().parse().map_err(invalid)?;
        uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
        let properties =
            ConnectionProperties::default().with_connection_name(self.connection_name.as_str().into());
        Connection::connect_uri(uri, properties).await
    }
}

/// AMQP's short strings hold 255 bytes; every name here is bounded far below, and a longer one would be no name of ours.
fn short(text: &str) -> ShortString {
    ShortString::try_new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_user_and_never_its_password() {
        let url: BrokerUrl = "amqp://api-service:hunter2@127.0.0.1:5672/%2f".parse().unwrap();

        assert_eq!(url.user(), "api-service");
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn an_address_of_another_kind_is_refused_without_quoting_it() {
        let error = "http://user:hunter2@host".parse::<BrokerUrl>().unwrap_err();

        assert!(!error.to_string().contains("hunter2"));
    }
}
