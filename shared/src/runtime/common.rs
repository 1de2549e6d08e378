//! The settings that several services have, under the same names and with the same meaning.

use std::net::SocketAddr;

use ipnet::IpNet;

use super::instance::InstanceName;
use super::metrics::Metrics;
use super::settings::{Reader, SecretText, Setting};
use super::telemetry::{LogFilter, LogFormat};

/// The issuer of Gatelog's tokens.
pub const ISSUER: Setting = Setting::new(
    "issuer",
    "http://127.0.0.1:8080",
    "the `iss` of Gatelog's tokens: the URL under which clients reach the door",
);
/// Where auth-service listens.
pub const AUTH_URL: Setting = Setting::new(
    "auth_url",
    "http://127.0.0.1:8081",
    "where auth-service is reached",
);
/// The database.
pub const DATABASE_URL: Setting = Setting::secret(
    "database_url",
    "the database: `sqlite:PATH` or `postgres://user:password@host/database`",
);
/// The broker.
pub const BROKER_URL: Setting = Setting::secret(
    "broker_url",
    "the broker: `amqp://user:password@host:5672/%2f`; the user is named as the service",
);
/// The prefix of all names on the broker.
pub const TOPOLOGY_PREFIX: Setting = Setting::new(
    "topology_prefix",
    "gatelog",
    "the prefix of all exchanges and queues on the broker",
);
/// The secret that services share.
pub const SERVICE_TOKEN: Setting = Setting::secret(
    "service_token",
    "the secret that services show each other, at least 32 characters",
);
/// The spool's folder.
pub const SPOOL_DIR: Setting = Setting::without_default(
    "spool_dir",
    "the folder for events on their way to the broker, on a local disk",
);
/// The spool's size.
pub const SPOOL_MAX_BYTES: Setting = Setting::new(
    "spool_max_bytes",
    "1073741824",
    "bytes of events that may wait in the spool, with what boots that are gone have left there",
);
/// Whose `X-Forwarded-For` counts.
pub const TRUSTED_PROXIES: Setting = Setting::new(
    "trusted_proxies",
    "",
    "networks (CIDR, separated by commas) whose `X-Forwarded-For` and `X-Request-Id` are believed",
);
/// The replica's name.
pub const INSTANCE: Setting = Setting::without_default(
    "instance",
    "the name of this replica in its events; the host's name if not given",
);
/// What is logged.
pub const LOG: Setting = Setting::new(
    "log",
    "info",
    "what is logged, such as `info` or `warn,api_service=debug`",
);
/// What logs look like.
pub const LOG_FORMAT: Setting = Setting::new(
    "log_format",
    "auto",
    "`json`, `text`, or `auto`: text on a terminal, JSON elsewhere",
);

/// Where metrics are served. Nowhere unless asked: replicas on one host would fight for a port that nobody asked for.
pub const METRICS_LISTEN: Setting = Setting::without_default(
    "metrics_listen",
    "a private address, such as `127.0.0.1:9090`, at which `/metrics` is served; none if not given",
);

/// The least length of the secret that services share.
const SERVICE_TOKEN_LENGTH_MIN: usize = 32;

/// What every service's process needs.
#[derive(Clone, Debug)]
pub struct ProcessSettings {
    /// The replica's name.
    pub instance: InstanceName,
    /// Whose forwarded headers count.
    pub trusted_proxies: Vec<IpNet>,
    /// What is logged.
    pub log: LogFilter,
    /// What logs look like.
    pub log_format: LogFormat,
    /// Where metrics are served.
    pub metrics_listen: Option<SocketAddr>,
    /// The metrics of the process.
    pub metrics: Metrics,
    /// The traces of the process; none until [`Traces::of_process`](crate::http::traces::Traces::of_process) is asked.
    #[cfg(feature = "otlp")]
    pub traces: crate::http::traces::Traces,
}

impl ProcessSettings {
    /// The settings that belong to it.
    pub const SETTINGS: [Setting; 5] = [TRUSTED_PROXIES, INSTANCE, METRICS_LISTEN, LOG, LOG_FORMAT];

    /// Reads them.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let instance = reader.optional(&INSTANCE);
        let trusted_proxies = reader.list(&TRUSTED_PROXIES);
        let metrics_listen = reader.optional(&METRICS_LISTEN);
        let (log, log_format) = (reader.value(&LOG), reader.value(&LOG_FORMAT));
        Some(Self {
            instance: instance?.unwrap_or_else(InstanceName::of_host),
            trusted_proxies: trusted_proxies?,
            log: log?,
            log_format: log_format?,
            metrics_listen: metrics_listen?,
            metrics: Metrics::new(),
            #[cfg(feature = "otlp")]
            traces: crate::http::traces::Traces::default(),
        })
    }
}

/// Reads the secret that services share.
pub fn read_service_token(reader: &mut Reader) -> Option<SecretText> {
    use secrecy::ExposeSecret as _;
    let token: SecretText = reader.value(&SERVICE_TOKEN)?;
    if token.0.expose_secret().len() < SERVICE_TOKEN_LENGTH_MIN {
        reader.problem(format!(
            "the service token has fewer than {SERVICE_TOKEN_LENGTH_MIN} characters"
        ));
        return None;
    }
    Some(token)
}
