//! Every setting of api-service.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use shared::clock::SystemClock;
use shared::http::serve::{Tls, TlsFiles};
use shared::runtime::common::{
    AUTH_URL, BROKER_URL, ISSUER, ProcessSettings, SERVICE_TOKEN, SPOOL_DIR, SPOOL_MAX_BYTES,
    TOPOLOGY_PREFIX, read_service_token,
};
use shared::runtime::settings::{Reader, Setting, SettingsError};
use shared::transport::{Transport, read_broker};

use crate::access_log::AccessLog;
pub use crate::gate::GateSettings;
pub use crate::listener::ListenerSettings;
use crate::policy::{self, Policy, PolicyError, Surroundings};

/// The service's name: in its events, and of its user on the broker.
pub const SERVICE: &str = "api-service";

/// What its environment variables begin with.
pub const PREFIX: &str = "GATELOG_API_";

/// Where the door listens.
pub const LISTEN: Setting = Setting::new("listen", "127.0.0.1:8080", "the address that the door listens on");
const COLLECTOR_URL: Setting = Setting::new(
    "collector_url",
    "http://127.0.0.1:8082",
    "where audit-collector is reached",
);
const POLICY_FILE: Setting = Setting::without_default(
    "policy_file",
    "the TOML file with issuers, upstreams and routes of your APIs",
);
const BODY_MAX_BYTES: Setting = Setting::new(
    "body_max_bytes",
    "1048576",
    "bytes of a request's body; larger ones are answered with 413",
);
const TLS_CERT_FILE: Setting = Setting::without_default(
    "tls_cert_file",
    "the certificate and its chain in PEM; with `tls_key_file` the door speaks https. Read again when it changes",
);
const TLS_KEY_FILE: Setting =
    Setting::without_default("tls_key_file", "the private key of `tls_cert_file` in PEM");
const CONNECTIONS_MAX: Setting = Setting::new(
    "connections_max",
    "10000",
    "connections at a time; further ones wait",
);
const CONNECTIONS_PER_ADDRESS_MAX: Setting = Setting::new(
    "connections_per_address_max",
    "1000",
    "connections at a time from one address, or one /64 of IPv6; further ones are closed. Not for `trusted_proxies`",
);
const DECIDE_PEERS: Setting = Setting::new(
    "decide_peers",
    "",
    "networks (CIDR, separated by commas) of proxies that may ask `/-/decide`; if none, there is no such path",
);
const ACCESS_LOG: Setting = Setting::new(
    "access_log",
    "off",
    "`json` for a line about every request on standard output, beside its event; or `off`",
);

const BLIND_MAX_SECONDS: Setting = Setting::new(
    "blind_max_seconds",
    "5",
    "seconds without word of revocations after which tokens are refused: 3 to 300",
);
const KEYS_DIR: Setting = Setting::without_default(
    "keys_dir",
    "the folder for copies of the key sets of issuers, for a start while one is away; none are kept if not given",
);

const TOKEN_CACHE_BYTES: Setting = Setting::new(
    "token_cache_bytes",
    "33554432",
    "bytes of verified tokens that are remembered, so that each signature is verified once; 0 for none",
);

/// Revocations are asked for every second or two, and one answer may be late; beyond minutes, nobody could call it a revocation.
const BLIND_MAX_SECONDS_RANGE: RangeInclusive<u64> = 3..=300;

/// Every setting, for the documentation.
pub fn all() -> Vec<Setting> {
    let own = [
        LISTEN,
        ISSUER,
        AUTH_URL,
        COLLECTOR_URL,
        POLICY_FILE,
        KEYS_DIR,
        TOKEN_CACHE_BYTES,
        BLIND_MAX_SECONDS,
        BODY_MAX_BYTES,
        TLS_CERT_FILE,
        TLS_KEY_FILE,
        CONNECTIONS_MAX,
        CONNECTIONS_PER_ADDRESS_MAX,
        DECIDE_PEERS,
        ACCESS_LOG,
    ];
    let shared = [
        BROKER_URL,
        TOPOLOGY_PREFIX,
        SPOOL_DIR,
        SPOOL_MAX_BYTES,
        SERVICE_TOKEN,
    ];
    own.into_iter()
        .chain(shared)
        .chain(ProcessSettings::SETTINGS)
        .collect()
}

/// What a door needs.
#[derive(Debug)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The `iss` of Gatelog's tokens.
    pub issuer: String,
    /// Bytes of a request's body at most.
    pub body_max_bytes: u64,
    /// Who may connect, and how.
    pub listener: ListenerSettings,
    /// The proxies that may ask for decisions.
    pub decide_peers: Vec<IpNet>,
    /// What decides and tells.
    pub gate: GateSettings,
}

impl Settings {
    /// The settings of the file at `config`, if any, and of the environment.
    pub fn load(config: Option<&Path>) -> Result<Self, SettingsError> {
        Self::read(Reader::of_process(PREFIX, config))
    }

    /// The settings that `reader` holds.
    pub fn read(mut reader: Reader) -> Result<Self, SettingsError> {
        let r = &mut reader;
        let (listen, body_max_bytes) = (r.value(&LISTEN), r.value(&BODY_MAX_BYTES));
        let listener = read_listener(r);
        let decide_peers = r.list(&DECIDE_PEERS);
        let surroundings = Surroundings {
            issuer: r.value(&ISSUER).unwrap_or_default(),
            auth_url: r.value(&AUTH_URL).unwrap_or_default(),
            collector_url: r.value(&COLLECTOR_URL),
        };
        let policy_file: Option<Option<PathBuf>> = r.optional(&POLICY_FILE);
        let policy = policy::load(policy_file.flatten().as_deref(), &surroundings);
        let policy = policy
            .map_err(|PolicyError(problems)| problems.into_iter().for_each(|problem| r.problem(problem)));
        let gate = read_gate(r, SERVICE, surroundings.auth_url, policy.ok());
        reader.finish(|| {
            Some(Self {
                listen: listen?,
                issuer: surroundings.issuer,
                body_max_bytes: body_max_bytes?,
                listener: listener?,
                decide_peers: decide_peers?,
                gate: gate?,
            })
        })
    }
}

/// Reads what the gate of `service` needs beside its policy.
pub(crate) fn read_gate(
    r: &mut Reader,
    service: &'static str,
    auth_url: String,
    policy: Option<Policy>,
) -> Option<GateSettings> {
    let broker = read_broker(r, service);
    let (spool_dir, spool_max_bytes) = (r.value(&SPOOL_DIR), r.value(&SPOOL_MAX_BYTES));
    let (keys_dir, blind_max) = (r.optional(&KEYS_DIR), read_blind_max(r));
    let token_cache_bytes = r.value(&TOKEN_CACHE_BYTES);
    let service_token = read_service_token(r);
    let access_log = r.value(&ACCESS_LOG).and_then(|format| {
        let log = AccessLog::of(format);
        log.map_err(|error| r.problem(format!("access_log: {error}")))
            .ok()
    });
    let process = ProcessSettings::read(r);
    Some(GateSettings {
        service,
        auth_url,
        policy: policy?,
        transport: Transport::Rabbit(broker?),
        spool_dir: spool_dir?,
        spool_max_bytes: spool_max_bytes?,
        keys_dir: keys_dir?,
        token_cache_bytes: token_cache_bytes?,
        blind_max: blind_max?,
        service_token: service_token?.0,
        process: process?,
        access_log: access_log?,
        clock: Arc::new(SystemClock),
    })
}

fn read_blind_max(r: &mut Reader) -> Option<Duration> {
    let seconds: u64 = r.value(&BLIND_MAX_SECONDS)?;
    if !BLIND_MAX_SECONDS_RANGE.contains(&seconds) {
        r.problem("blind_max_seconds is not from 3 to 300".to_owned());
        return None;
    }
    Some(Duration::from_secs(seconds))
}

fn read_listener(r: &mut Reader) -> Option<ListenerSettings> {
    let (cert, key): (Option<Option<PathBuf>>, Option<Option<PathBuf>>) =
        (r.optional(&TLS_CERT_FILE), r.optional(&TLS_KEY_FILE));
    let (connections_max, per_address_max) = (
        r.value::<NonZeroUsize>(&CONNECTIONS_MAX),
        r.value::<NonZeroUsize>(&CONNECTIONS_PER_ADDRESS_MAX),
    );
    let tls = match (cert?, key?) {
        (None, None) => None,
        (Some(cert), Some(key)) => match Tls::load(TlsFiles { cert, key }) {
            Ok(tls) => Some(tls),
            Err(error) => {
                r.problem(error.to_string());
                return None;
            }
        },
        _ => {
            r.problem("tls_cert_file and tls_key_file belong together".to_owned());
            return None;
        }
    };
    Some(ListenerSettings {
        tls,
        connections_max: connections_max?.get(),
        per_address_max: per_address_max?.get(),
    })
}
