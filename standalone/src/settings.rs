//! Every setting of the single process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use audit_collector::enrichment::{self, Places};
use audit_collector::notification::{self, NOTIFICATIONS_FILE};
use audit_collector::pseudonym::{self, Pseudonyms};
use audit_collector::response::ResponseSettings;
use shared::http::traces::Traces;
use shared::runtime::common::{LOG, LOG_FORMAT, METRICS_LISTEN};
use shared::runtime::settings::{Reader, Setting, SettingsError};
use shared::runtime::telemetry::{LogFilter, LogFormat};

/// What its environment variables begin with.
pub const PREFIX: &str = "GATELOG_";

const DATA_DIR: Setting = Setting::new(
    "data_dir",
    "gatelog-data",
    "the folder for databases, spools and keys",
);
const LISTEN: Setting = Setting::new("listen", "127.0.0.1:8080", "the address of the door");
const AUTH_LISTEN: Setting = Setting::new("auth_listen", "127.0.0.1:8081", "the address of auth-service");
const COLLECTOR_LISTEN: Setting = Setting::new(
    "collector_listen",
    "127.0.0.1:8082",
    "the address of audit-collector",
);
const POLICY_FILE: Setting = Setting::without_default(
    "policy_file",
    "the TOML file with issuers, upstreams and routes of your APIs",
);
const RULES_DIR: Setting = Setting::without_default(
    "rules_dir",
    "a folder with detection rules, lists and suppressions of your own",
);
const AUDIENCES: Setting = Setting::new(
    "audiences",
    "",
    "the audiences (separated by commas) of your own APIs, for which users may sign in",
);

/// Every setting, for the documentation.
pub fn all() -> Vec<Setting> {
    let own = [
        DATA_DIR,
        LISTEN,
        AUTH_LISTEN,
        COLLECTOR_LISTEN,
        POLICY_FILE,
        AUDIENCES,
        RULES_DIR,
    ];
    own.into_iter()
        .chain(enrichment::SETTINGS)
        .chain(pseudonym::SETTINGS)
        .chain([NOTIFICATIONS_FILE])
        .chain(ResponseSettings::SETTINGS)
        .chain([METRICS_LISTEN, LOG, LOG_FORMAT])
        .collect()
}

/// What the single process needs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder for databases, spools and keys.
    pub data_dir: PathBuf,
    /// The address of the door.
    pub listen: SocketAddr,
    /// The address of auth-service.
    pub auth_listen: SocketAddr,
    /// The address of audit-collector.
    pub collector_listen: SocketAddr,
    /// Issuers, upstreams and routes of APIs.
    pub policy_file: Option<PathBuf>,
    /// The audiences of APIs.
    pub audiences: Vec<String>,
    /// Detection rules of one's own.
    pub rules_dir: Option<PathBuf>,
    /// Where addresses are.
    pub places: Option<Arc<Places>>,
    /// What hides names and addresses.
    pub pseudonyms: Option<Arc<Pseudonyms>>,
    /// Who is told of alerts.
    pub notified: Vec<notification::Receiver>,
    /// What is done about alerts.
    pub responses: ResponseSettings,
    /// Where metrics of all three are served.
    pub metrics_listen: Option<SocketAddr>,
    /// What is logged.
    pub log: LogFilter,
    /// What logs look like.
    pub log_format: LogFormat,
    /// The traces of the process.
    pub traces: Traces,
}

impl Settings {
    /// The settings of the file at `config`, if any, and of the environment.
    pub fn load(config: Option<&Path>) -> Result<Self, SettingsError> {
        let mut reader = Reader::of_process(PREFIX, config);
        let r = &mut reader;
        let (data_dir, policy_file, audiences) =
            (r.value(&DATA_DIR), r.optional(&POLICY_FILE), r.list(&AUDIENCES));
        let addresses = (
            r.value(&LISTEN),
            r.value(&AUTH_LISTEN),
            r.value(&COLLECTOR_LISTEN),
        );
        let (rules_dir, places) = (r.optional(&RULES_DIR), enrichment::read_places(r));
        let pseudonyms = pseudonym::read_pseudonyms(r);
        let notified = notification::read_receivers(r, None);
        let responses = ResponseSettings::read(r);
        let metrics_listen = r.optional(&METRICS_LISTEN);
        let (log, log_format) = (r.value(&LOG), r.value(&LOG_FORMAT));
        reader.finish(|| {
            Some(Self {
                data_dir: data_dir?,
                listen: addresses.0?,
                auth_listen: addresses.1?,
                collector_listen: addresses.2?,
                policy_file: policy_file?,
                audiences: audiences?,
                rules_dir: rules_dir?,
                places: places?,
                pseudonyms: pseudonyms?,
                notified: notified?,
                responses: responses?,
                metrics_listen: metrics_listen?,
                log: log?,
                log_format: log_format?,
                traces: Traces::default(),
            })
        })
    }
}
