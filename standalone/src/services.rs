//! Composes the three services: one bus instead of a broker, SQLite files, loopback between them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use audit_collector::detection::DetectionSettings;
use audit_collector::notification;
use audit_collector::response::Credentials;
use audit_collector::retention::Periods;
use secrecy::SecretString;
use shared::clock::{SharedClock, SystemClock};
use shared::enforcement::BLIND_MAX;
use shared::http::client::is_ready;
use shared::runtime::cli::{StartError, listen};
use shared::runtime::common::ProcessSettings;
use shared::runtime::instance::InstanceName;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::{CancellationToken, DropGuard};
use shared::transport::{Bus, Transport};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::settings::Settings;

/// Bytes of events that may wait in each spool.
const SPOOL_MAX_BYTES: u64 = 1 << 30;

/// Bytes of verified tokens that the door remembers.
const TOKEN_CACHE_BYTES: u64 = 8 << 20;

/// Bytes of a request's body at most.
const BODY_MAX_BYTES: u64 = 1 << 20;

/// How long the start may take before it is given up.
const START_MAX: Duration = Duration::from_secs(30);

/// How often it is asked whether the services are ready.
const ASK_EVERY: Duration = Duration::from_millis(10);

/// The three services at work.
#[derive(Debug)]
pub struct Running {
    /// Where the door is.
    pub url: String,
    /// The one-time token for the first administrator, if there is none yet.
    pub setup_token: Option<String>,
    /// In the order in which they are to stop: the door first, the collector last, so that every event is stored.
    services: [Service; 3],
    /// Ends the listener for metrics.
    _metrics: DropGuard,
}

#[derive(Debug)]
struct Service {
    stop: CancellationToken,
    running: JoinHandle<Result<(), StartError>>,
}

/// Starts all three and waits until they are ready.
pub async fn start(settings: &Settings) -> Result<Running, StartError> {
    std::fs::create_dir_all(&settings.data_dir).map_err(|error| {
        StartError::config(format!("cannot make {}: {error}", settings.data_dir.display()))
    })?;
    let door_listener = listen(settings.listen).await?;
    let auth_listener = listen(settings.auth_listen).await?;
    let collector_listener = listen(settings.collector_listen).await?;
    let addresses = Addresses {
        door: url_of(&door_listener)?,
        auth: url_of(&auth_listener)?,
        collector: url_of(&collector_listener)?,
    };
    let common = Common::new(settings)?;
    let auth_settings = common.auth(settings, &addresses)?;
    let mut collector_settings = common.collector(settings, &addresses)?;
    if collector_settings.responses.credentials.is_none() {
        let (client_id, secret) = auth_service::new_responder_secret(&auth_settings).await?;
        collector_settings.responses.credentials = Some(Credentials {
            client_id: client_id.to_owned(),
            secret,
        });
    }
    let door_settings = common.door(settings, &addresses)?;
    let stop_metrics = CancellationToken::new();
    let process = ProcessSettings {
        metrics_listen: settings.metrics_listen,
        ..common.process.clone()
    };
    shared::http::metrics::start(&process, stop_metrics.clone()).await?;
    let setup_token = auth_service::new_setup_token(&auth_settings).await?;
    let services = [
        spawn(|stop| api_service::run(door_settings, door_listener, stop)),
        spawn(|stop| auth_service::run(auth_settings, auth_listener, stop)),
        spawn(|stop| audit_collector::run(collector_settings, collector_listener, stop)),
    ];
    let mut running = Running {
        url: addresses.door.clone(),
        setup_token,
        services,
        _metrics: stop_metrics.drop_guard(),
    };
    running.until_ready(&addresses).await?;
    Ok(running)
}

impl Running {
    /// Runs until `shutdown` or until a service ends by itself, which is a failure; then stops the others in order.
    pub async fn until(mut self, shutdown: CancellationToken) -> Result<(), StartError> {
        let failed = tokio::select! {
            () = shutdown.cancelled() => Ok(()),
            failed = self.first_to_end() => failed,
        };
        let stopped = self.stop().await;
        failed.and(stopped)
    }

    async fn stop(self) -> Result<(), StartError> {
        let mut result = Ok(());
        for service in self.services {
            service.stop.cancel();
            if !service.running.is_finished() {
                result = result.and(ended(service.running.await));
            }
        }
        result
    }

    async fn until_ready(&mut self, addresses: &Addresses) -> Result<(), StartError> {
        let ready = async {
            for url in [&addresses.auth, &addresses.collector, &addresses.door] {
                while is_ready(url).await.is_err() {
                    tokio::time::sleep(ASK_EVERY).await;
                }
            }
        };
        tokio::select! {
            ready = tokio::time::timeout(START_MAX, ready) => {
                ready.map_err(|_| StartError::failed("the services did not become ready"))
            }
            failed = self.first_to_end() => failed,
        }
    }

    async fn first_to_end(&mut self) -> Result<(), StartError> {
        let [door, auth, collector] = &mut self.services;
        let ended_first = tokio::select! {
            result = &mut door.running => result,
            result = &mut auth.running => result,
            result = &mut collector.running => result,
        };
        ended(ended_first).and(Err(StartError::failed("a service ended by itself")))
    }
}

fn ended(result: Result<Result<(), StartError>, tokio::task::JoinError>) -> Result<(), StartError> {
    result.unwrap_or_else(|error| Err(StartError::failed(format!("a service died: {error}"))))
}

fn spawn<F>(run: impl FnOnce(CancellationToken) -> F) -> Service
where
    F: Future<Output = Result<(), StartError>> + Send + 'static,
{
    let stop = CancellationToken::new();
    let running = tokio::spawn(run(stop.clone()));
    Service { stop, running }
}

fn url_of(listener: &TcpListener) -> Result<String, StartError> {
    let address: SocketAddr = listener.local_addr().map_err(StartError::failed)?;
    Ok(format!("http://{address}"))
}

struct Addresses {
    door: String,
    auth: String,
    collector: String,
}

/// What all three get.
struct Common {
    transport: Transport,
    service_token: SecretString,
    process: ProcessSettings,
    clock: SharedClock,
}

impl Common {
    fn new(settings: &Settings) -> Result<Self, StartError> {
        let loopback = ["127.0.0.0/8", "::1/128"]
            .iter()
            .filter_map(|net| net.parse().ok())
            .collect();
        Ok(Self {
            transport: Transport::InProcess(Bus::new()),
            service_token: secret(&settings.data_dir.join("service.token"))?.into(),
            process: ProcessSettings {
                instance: InstanceName::of_host(),
                // The door is the proxy that the other two believe; the door itself believes nobody.
                trusted_proxies: loopback,
                log: settings.log.clone(),
                log_format: settings.log_format,
                // One listener for the process, which is not a service's.
                metrics_listen: None,
                metrics: Metrics::new(),
                traces: settings.traces.clone(),
            },
            clock: Arc::new(SystemClock),
        })
    }

    fn auth(
        &self,
        settings: &Settings,
        addresses: &Addresses,
    ) -> Result<auth_service::settings::Settings, StartError> {
        let master_key = secret(&settings.data_dir.join("master.key"))?;
        Ok(auth_service::settings::Settings {
            listen: settings.auth_listen,
            issuer: addresses.door.clone(),
            database_url: sqlite(settings, "auth.db").parse().map_err(StartError::config)?,
            transport: self.transport.clone(),
            confirmed_dir: None,
            master_key: master_key.parse().map_err(StartError::config)?,
            service_token: self.service_token.clone(),
            audiences: settings.audiences.clone(),
            access_token_seconds: 600,
            keys: auth_service::settings::KeySettings {
                algorithm: shared::token::Algorithm::EdDsa,
                rotation: Some(std::time::Duration::from_hours(24 * 30)),
            },
            passwords: auth_service::settings::PasswordSettings::default(),
            process: self.process.clone(),
            clock: Arc::clone(&self.clock),
        })
    }

    fn door(
        &self,
        settings: &Settings,
        addresses: &Addresses,
    ) -> Result<api_service::settings::Settings, StartError> {
        let surroundings = api_service::policy::Surroundings {
            issuer: addresses.door.clone(),
            auth_url: addresses.auth.clone(),
            collector_url: Some(addresses.collector.clone()),
        };
        let policy = api_service::policy::load(settings.policy_file.as_deref(), &surroundings);
        Ok(api_service::settings::Settings {
            listen: settings.listen,
            issuer: addresses.door.clone(),
            body_max_bytes: BODY_MAX_BYTES,
            listener: api_service::settings::ListenerSettings::default(),
            decide_peers: Vec::new(),
            gate: api_service::settings::GateSettings {
                service: api_service::settings::SERVICE,
                auth_url: addresses.auth.clone(),
                policy: policy.map_err(|error| StartError::config(error.0.join("\n")))?,
                transport: self.transport.clone(),
                spool_dir: settings.data_dir.join("spool"),
                spool_max_bytes: SPOOL_MAX_BYTES,
                keys_dir: Some(settings.data_dir.join("keys")),
                token_cache_bytes: TOKEN_CACHE_BYTES,
                blind_max: BLIND_MAX,
                service_token: self.service_token.clone(),
                access_log: api_service::access_log::AccessLog::default(),
                process: ProcessSettings {
                    trusted_proxies: Vec::new(),
                    ..self.process.clone()
                },
                clock: Arc::clone(&self.clock),
            },
        })
    }

    fn collector(
        &self,
        settings: &Settings,
        addresses: &Addresses,
    ) -> Result<audit_collector::settings::Settings, StartError> {
        let wrong = |problems: Vec<String>| StartError::config(problems.join("\n"));
        let (rules_dir, pseudonyms) = (settings.rules_dir.clone(), settings.pseudonyms.clone());
        let detection = DetectionSettings::load(&addresses.door, rules_dir, pseudonyms).map_err(wrong)?;
        let unknown = notification::unknown_to(&detection.rules, &settings.notified);
        if !unknown.is_empty() {
            return Err(wrong(unknown));
        }
        Ok(audit_collector::settings::Settings {
            listen: settings.collector_listen,
            issuer: addresses.door.clone(),
            auth_url: addresses.auth.clone(),
            database_url: sqlite(settings, "collector.db")
                .parse()
                .map_err(StartError::config)?,
            transport: self.transport.clone(),
            spool_dir: settings.data_dir.join("spool-collector"),
            spool_max_bytes: SPOOL_MAX_BYTES,
            service_token: self.service_token.clone(),
            prefetch: 200,
            batch_max: 2000,
            batch_linger: Duration::from_millis(20),
            gap_after: Duration::from_mins(2),
            retention: Periods::default(),
            receivers: Vec::new(),
            places: settings.places.clone(),
            pseudonyms: settings.pseudonyms.clone(),
            detection,
            notified: settings.notified.clone(),
            responses: settings.responses.clone(),
            process: self.process.clone(),
            clock: Arc::clone(&self.clock),
        })
    }
}

fn sqlite(settings: &Settings, name: &str) -> String {
    format!("sqlite:{}", settings.data_dir.join(name).display())
}

/// The secret in the file at `path`, which is made if it is not there.
fn secret(path: &Path) -> Result<String, StartError> {
    let cannot =
        |error: std::io::Error| StartError::config(format!("cannot use {}: {error}", path.display()));
    if !path.exists() {
        auth_service::settings::make_secret_file(path).map_err(cannot)?;
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    Ok(text.trim_end().to_owned())
}
