//! Who is told. Pure.

use std::fmt;
use std::str::FromStr;

use url::{Host, Url};

use crate::search::Filter;
use crate::webhook::{Address, Secret};

/// The port of syslog over TLS (RFC 5425).
const TLS_PORT: u16 = 6514;

/// The port that syslog over TCP has by custom (RFC 6587).
const TCP_PORT: u16 = 601;

/// Who is told, and of what.
#[derive(Clone, Debug)]
pub enum Receiver {
    /// By syslog.
    Syslog(SyslogTarget, Filter),
    /// By webhooks.
    Webhook(Box<WebhookTarget>, Filter),
}

impl Receiver {
    /// Its name, also that of its place in the log.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Syslog(..) => "syslog",
            Self::Webhook(..) => "webhook",
        }
    }

    /// Which events it is told.
    pub(super) const fn filter(&self) -> &Filter {
        match self {
            Self::Syslog(_, filter) | Self::Webhook(_, filter) => filter,
        }
    }
}

/// A receiver of syslog.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyslogTarget {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Whether it is spoken to over TLS.
    pub tls: bool,
}

/// Not where a receiver of syslog could be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not `tls://host:port` or `tcp://host:port`")]
pub struct InvalidTarget;

impl FromStr for SyslogTarget {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, InvalidTarget> {
        let url: Url = text.parse().map_err(|_| InvalidTarget)?;
        let tls = match url.scheme() {
            "tls" => true,
            "tcp" => false,
            _ => return Err(InvalidTarget),
        };
        let is_plain = matches!(url.path(), "" | "/")
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none();
        let host = match url.host() {
            Some(Host::Ipv6(address)) => address.to_string(),
            Some(host) => host.to_string(),
            None => return Err(InvalidTarget),
        };
        if !is_plain || host.is_empty() {
            return Err(InvalidTarget);
        }
        Ok(Self {
            host,
            port: url.port().unwrap_or(if tls { TLS_PORT } else { TCP_PORT }),
            tls,
        })
    }
}

impl fmt::Display for SyslogTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "tls" } else { "tcp" };
        write!(formatter, "{scheme}://{}:{}", self.host, self.port)
    }
}

/// A receiver of webhooks.
#[derive(Clone, Debug)]
pub struct WebhookTarget {
    /// Where it is.
    pub address: Address,
    /// What messages are signed with.
    pub secret: Secret,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_is_a_host_and_a_port() {
        for (text, expected) in [
            ("tls://siem.test", Some("tls://siem.test:6514")),
            ("tcp://127.0.0.1:5140", Some("tcp://127.0.0.1:5140")),
            ("tcp://[::1]", Some("tcp://::1:601")),
            ("udp://siem.test", None),
            ("tls://siem.test/path", None),
            ("tls://user@siem.test", None),
            ("siem.test:514", None),
            ("tls://", None),
            ("", None),
        ] {
            let target = text.parse::<SyslogTarget>().map(|target| target.to_string());
            assert_eq!(target.ok().as_deref(), expected, "{text}");
        }
    }
}
