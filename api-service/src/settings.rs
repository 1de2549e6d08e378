//! Every setting of api-service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::clock::SystemClock;
use shared::runtime::common::{
    AUTH_URL, BROKER_URL, ISSUER, ProcessSettings, SERVICE_TOKEN, SPOOL_DIR, SPOOL_MAX_BYTES,
    TOPOLOGY_PREFIX, read_service_token,
};
use shared::runtime::settings::{Reader, Setting, SettingsError};
use shared::transport::{Transport, read_broker};

pub use crate::gate::GateSettings;
use crate::policy::{self, PolicyError, Surroundings};

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

/// Every setting, for the documentation.
pub fn all() -> Vec<Setting> {
    let own = [
        LISTEN,
        ISSUER,
        AUTH_URL,
        COLLECTOR_URL,
        POLICY_FILE,
        BODY_MAX_BYTES,
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
        let surroundings = Surroundings {
            issuer: r.value(&ISSUER).unwrap_or_default(),
            auth_url: r.value(&AUTH_URL).unwrap_or_default(),
            collector_url: r.value(&COLLECTOR_URL).unwrap_or_default(),
        };
        let policy_file: Option<Option<PathBuf>> = r.optional(&POLICY_FILE);
        let policy = policy::load(policy_file.flatten().as_deref(), &surroundings);
        let policy = policy
            .map_err(|PolicyError(problems)| problems.into_iter().for_each(|problem| r.problem(problem)));
        let broker = read_broker(r, SERVICE);
        let (spool_dir, spool_max_bytes) = (r.value(&SPOOL_DIR), r.value(&SPOOL_MAX_BYTES));
        let service_token = read_service_token(r);
        let process = ProcessSettings::read(r);
        reader.finish(|| {
            Some(Self {
                listen: listen?,
                issuer: surroundings.issuer,
                body_max_bytes: body_max_bytes?,
                gate: GateSettings {
                    service: SERVICE,
                    auth_url: surroundings.auth_url,
                    policy: policy.ok()?,
                    transport: Transport::Rabbit(broker?),
                    spool_dir: spool_dir?,
                    spool_max_bytes: spool_max_bytes?,
                    service_token: service_token?.0,
                    process: process?,
                    clock: Arc::new(SystemClock),
                },
            })
        })
    }
}
