//! Every setting of audit-collector.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use shared::clock::{SharedClock, SystemClock};
use shared::database::{Database, DatabaseUrl};
use shared::runtime::common::{
    AUTH_URL, BROKER_URL, DATABASE_URL, ISSUER, ProcessSettings, SERVICE_TOKEN, SPOOL_DIR, SPOOL_MAX_BYTES,
    TOPOLOGY_PREFIX, read_service_token,
};
use shared::runtime::settings::{Reader, Setting, SettingsError};
use shared::transport::{Transport, read_broker};

use crate::detection::DetectionSettings;
use crate::enrichment::{self, Places};
use crate::event_log::EventLog;
use crate::forwarding::{self, Receiver};
use crate::notification;
use crate::pseudonym::{self, Pseudonyms};
use crate::response::ResponseSettings;
use crate::retention::{self, Periods};

/// The service's name: in its events, and of its user on the broker.
pub const SERVICE: &str = "audit-collector";

/// What its environment variables begin with.
pub const PREFIX: &str = "GATELOG_COLLECTOR_";

/// Where it listens.
pub const LISTEN: Setting = Setting::new("listen", "127.0.0.1:8082", "the address to listen on");
const PREFETCH: Setting = Setting::new(
    "prefetch",
    "200",
    "messages that the broker may send ahead of their acknowledgement, each of up to 128 events and 128 KiB",
);
const BATCH_MAX: Setting = Setting::new("batch_max", "2000", "events stored in one transaction at most");
const BATCH_LINGER: Setting = Setting::new(
    "batch_linger_ms",
    "20",
    "milliseconds that a transaction waits for more events",
);

const GAP_AFTER: Setting = Setting::new(
    "gap_after_s",
    "120",
    "seconds after which a number that is missing of a source is told as lost",
);

/// The longest wait for a number, in seconds.
const GAP_AFTER_LIMIT_S: u64 = 24 * 60 * 60;

/// The largest batch: what fits comfortably into one statement and into memory.
const BATCH_LIMIT: usize = 5_000;

/// The longest wait for more events, in milliseconds.
const LINGER_LIMIT_MS: u64 = 10_000;

/// Every setting, for the documentation.
pub fn all() -> Vec<Setting> {
    let own = [LISTEN, ISSUER, AUTH_URL, DATABASE_URL];
    let intake = [
        BROKER_URL,
        TOPOLOGY_PREFIX,
        PREFETCH,
        BATCH_MAX,
        BATCH_LINGER,
        GAP_AFTER,
    ];
    let shared = [SPOOL_DIR, SPOOL_MAX_BYTES, SERVICE_TOKEN];
    own.into_iter()
        .chain(intake)
        .chain(DetectionSettings::SETTINGS)
        .chain(enrichment::SETTINGS)
        .chain(pseudonym::SETTINGS)
        .chain(retention::SETTINGS)
        .chain(forwarding::SETTINGS)
        .chain([notification::NOTIFICATIONS_FILE])
        .chain(ResponseSettings::SETTINGS)
        .chain(shared)
        .chain(ProcessSettings::SETTINGS)
        .collect()
}

/// What a collector needs.
#[derive(Debug)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The `iss` of Gatelog's tokens.
    pub issuer: String,
    /// Where auth-service is reached.
    pub auth_url: String,
    /// Where the log is kept.
    pub database_url: DatabaseUrl,
    /// How events travel.
    pub transport: Transport,
    /// The folder for the collector's own events on their way.
    pub spool_dir: PathBuf,
    /// Bytes of events that may wait there.
    pub spool_max_bytes: u64,
    /// The secret that services show each other.
    pub service_token: SecretString,
    /// Messages that the transport may send ahead of their acknowledgement.
    pub prefetch: u16,
    /// Events stored in one transaction at most.
    pub batch_max: usize,
    /// How long a transaction waits for more events.
    pub batch_linger: Duration,
    /// How long a number may be missing of a source before it is told as lost.
    pub gap_after: Duration,
    /// Where addresses are, if there is a file that says so.
    pub places: Option<Arc<Places>>,
    /// What hides names and addresses, if that is wanted or was.
    pub pseudonyms: Option<Arc<Pseudonyms>>,
    /// What is looked for.
    pub detection: DetectionSettings,
    /// For how long events are kept.
    pub retention: Periods,
    /// Who is told what comes.
    pub receivers: Vec<Receiver>,
    /// Who is told of alerts.
    pub notified: Vec<notification::Receiver>,
    /// What is done about it.
    pub responses: ResponseSettings,
    /// What every process needs.
    pub process: ProcessSettings,
    /// The clock.
    pub clock: SharedClock,
}

impl Settings {
    /// The settings of the file at `config`, if any, and of the environment.
    pub fn load(config: Option<&Path>) -> Result<Self, SettingsError> {
        Self::read(Reader::of_process(PREFIX, config))
    }

    /// The settings that `reader` holds.
    pub fn read(mut reader: Reader) -> Result<Self, SettingsError> {
        let r = &mut reader;
        let (listen, issuer, auth_url) = (r.value(&LISTEN), r.value(&ISSUER), r.value(&AUTH_URL));
        let database_url = r.value(&DATABASE_URL);
        let broker = read_broker(r, SERVICE);
        let (spool_dir, spool_max_bytes) = (r.value(&SPOOL_DIR), r.value(&SPOOL_MAX_BYTES));
        let service_token = read_service_token(r);
        let (prefetch, batch_max, linger_ms) =
            (r.value(&PREFETCH), r.value(&BATCH_MAX), r.value(&BATCH_LINGER));
        check_intake(r, prefetch, batch_max, linger_ms);
        let gap_after_s: Option<u64> = r.value(&GAP_AFTER);
        if gap_after_s.is_some_and(|seconds| !(1..=GAP_AFTER_LIMIT_S).contains(&seconds)) {
            r.problem(format!("gap_after_s is from 1 to {GAP_AFTER_LIMIT_S}"));
        }
        let iss: Option<&String> = issuer.as_ref();
        let periods = retention::read_periods(r);
        let receivers = forwarding::read_receivers(r);
        let (places, pseudonyms) = (enrichment::read_places(r), pseudonym::read_pseudonyms(r));
        let iss = iss.map(String::as_str).unwrap_or_default();
        let detection = DetectionSettings::read(r, iss, pseudonyms.clone().flatten());
        let notified = notification::read_receivers(r, detection.as_ref().map(|detection| &detection.rules));
        let responses = ResponseSettings::read(r);
        let process = ProcessSettings::read(r);
        reader.finish(|| {
            Some(Self {
                listen: listen?,
                issuer: issuer?,
                auth_url: auth_url?,
                database_url: database_url?,
                transport: Transport::Rabbit(broker?),
                spool_dir: spool_dir?,
                spool_max_bytes: spool_max_bytes?,
                service_token: service_token?.0,
                prefetch: prefetch?,
                batch_max: batch_max?,
                batch_linger: Duration::from_millis(linger_ms?),
                gap_after: Duration::from_secs(gap_after_s?),
                places: places?,
                pseudonyms: pseudonyms?,
                detection: detection?,
                retention: periods?,
                receivers: receivers?,
                notified: notified?,
                responses: responses?,
                process: process?,
                clock: Arc::new(SystemClock),
            })
        })
    }
}

impl Settings {
    /// The log in `database`, as all that these settings are for append to it and read it.
    pub fn log(&self, database: &Database) -> EventLog {
        EventLog::new(database.clone())
            .with_places(self.places.clone())
            .with_pseudonyms(self.pseudonyms.clone())
    }
}

fn check_intake(
    reader: &mut Reader,
    prefetch: Option<u16>,
    batch_max: Option<usize>,
    linger_ms: Option<u64>,
) {
    // RabbitMQ takes 0 for no limit at all.
    if prefetch == Some(0) {
        reader.problem("prefetch is at least 1");
    }
    if batch_max.is_some_and(|count| !(1..=BATCH_LIMIT).contains(&count)) {
        reader.problem(format!("batch_max is from 1 to {BATCH_LIMIT}"));
    }
    if linger_ms.is_some_and(|millis| millis > LINGER_LIMIT_MS) {
        reader.problem(format!("batch_linger_ms is at most {LINGER_LIMIT_MS}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(extra: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let required = [
            ("GATELOG_COLLECTOR_DATABASE_URL", "sqlite:audit.db"),
            (
                "GATELOG_COLLECTOR_BROKER_URL",
                "amqp://audit-collector:x@localhost",
            ),
            ("GATELOG_COLLECTOR_SPOOL_DIR", "spool"),
            (
                "GATELOG_COLLECTOR_SERVICE_TOKEN",
                "0123456789abcdef0123456789abcdef",
            ),
        ];
        let given = required.iter().chain(extra);
        let environment = given.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Settings::read(Reader::new(PREFIX, "", environment))
    }

    #[test]
    fn the_defaults_are_enough_beside_what_is_required() {
        let settings = read(&[]).unwrap();

        assert_eq!((settings.prefetch, settings.batch_max), (200, 2000));
        assert_eq!(settings.batch_linger, Duration::from_millis(20));
    }

    #[test]
    fn a_receiver_that_is_told_of_a_rule_that_is_not_there_is_a_mistake() {
        let folder = tempfile::TempDir::new().unwrap();
        let (file, url) = (
            folder.path().join("notifications.toml"),
            folder.path().join("url"),
        );
        std::fs::write(&url, "https://hooks.test/x").unwrap();
        let text = format!("[slack.desk]\nurl_file = {url:?}\nonly = {{ rules = ['log-gaps'] }}\n");
        std::fs::write(&file, text).unwrap();

        let error = read(&[("GATELOG_COLLECTOR_NOTIFICATIONS_FILE", file.to_str().unwrap())]).unwrap_err();

        let said = error.to_string();
        assert!(
            said.contains("notifications.toml: slack.desk: only.rules: there is no rule \"log-gaps\""),
            "{said}"
        );
    }

    #[test]
    fn values_that_cannot_work_are_all_told_at_once() {
        let error = read(&[
            ("GATELOG_COLLECTOR_PREFETCH", "0"),
            ("GATELOG_COLLECTOR_BATCH_MAX", "0"),
            ("GATELOG_COLLECTOR_BATCH_LINGER_MS", "60000"),
            ("GATELOG_COLLECTOR_DATABASE_URL", "mysql://root:hunter2@host/db"),
            ("GATELOG_COLLECTOR_SHARD", "1"),
        ])
        .unwrap_err();

        assert_eq!(error.problems().len(), 5, "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
}
