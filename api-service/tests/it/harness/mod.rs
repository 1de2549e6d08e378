//! A running door with stand-ins for what is around it: an issuer, an upstream, a collector.

mod collector;
mod issuer;
pub(crate) mod upstream;
mod web_server;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use api_service::access_log::AccessLog;
use api_service::policy::{self, Policy, Surroundings};
use api_service::settings::ListenerSettings;
use api_service::settings::{GateSettings, SERVICE, Settings};
use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::clock::SystemClock;
use shared::enforcement::BLIND_MAX;
use shared::event::Event;
use shared::http::client::{PooledClient, pooled_client};
use shared::http::traces::Traces;
use shared::runtime::common::ProcessSettings;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::runtime::telemetry::LogFormat;
use shared::transport::{Bus, Transport};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) use collector::Collector;
pub(crate) use issuer::Issuer;
pub(crate) use upstream::Counted;
pub(crate) use web_server::{RawAnswer, WebServer, deployed, installed, named_by};

/// How long a test waits for what must happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// A door that runs until it is dropped or closed.
pub(crate) struct TestDoor {
    pub(crate) address: SocketAddr,
    pub(crate) issuer: Issuer,
    pub(crate) collector: Collector,
    bus: Bus,
    client: PooledClient,
    metrics: Metrics,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
    folder: TempDir,
}

/// An answer with its whole body.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map(|value| value.to_str().unwrap())
            .unwrap_or_default()
    }
}

/// A spool that may hold that many bytes, behind a collector that takes or refuses.
pub(crate) struct Limits {
    pub(crate) spool_max_bytes: u64,
    pub(crate) collects: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            spool_max_bytes: 1 << 20,
            collects: true,
        }
    }
}

impl TestDoor {
    /// A door whose API `orders` stands on the issuer's host, behind `routes` in TOML.
    pub(crate) async fn start(routes: &str) -> Self {
        Self::start_limited(routes, Limits::default()).await
    }

    pub(crate) async fn start_limited(routes: &str, limits: Limits) -> Self {
        Self::start_with(routes, limits, |_| {}).await
    }

    /// A door with other settings.
    pub(crate) async fn start_with(routes: &str, limits: Limits, change: impl FnOnce(&mut Settings)) -> Self {
        let issuer = Issuer::start().await;
        let spool = tempfile::tempdir().unwrap();
        let bus = Bus::new();
        let collector = Collector::start(&bus, limits.collects);
        let policy_file = spool.path().join("policy.toml");
        std::fs::write(&policy_file, policy_around(routes).await).unwrap();
        let mut settings = settings_around(&issuer, &policy_file);
        settings.gate.transport = Transport::InProcess(bus.clone());
        settings.gate.spool_dir = spool.path().join("spool");
        settings.gate.spool_max_bytes = limits.spool_max_bytes;
        change(&mut settings);
        let metrics = settings.gate.process.metrics.clone();
        let listener = TcpListener::bind(settings.listen).await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ordered = shutdown.clone();
        let running =
            tokio::spawn(async move { api_service::run(settings, listener, ordered).await.unwrap() });
        let client = pooled_client().unwrap();
        let door = Self {
            address,
            issuer,
            collector,
            bus,
            client,
            metrics,
            shutdown,
            running,
            folder: spool,
        };
        door.until_ready().await;
        door
    }

    /// The policy file.
    pub(crate) fn policy_file(&self) -> PathBuf {
        self.folder.path().join("policy.toml")
    }

    /// The folder of its spool.
    pub(crate) fn spool_dir(&self) -> PathBuf {
        self.folder.path().join("spool")
    }

    /// What carries its events.
    pub(crate) fn bus(&self) -> Bus {
        self.bus.clone()
    }

    /// Lets a collector that took nothing begin to.
    pub(crate) fn collect(&self) {
        self.collector.collect(&self.bus);
    }

    /// What `/metrics` says.
    pub(crate) async fn metrics(&self) -> String {
        self.metrics.read().await.unwrap()
    }

    async fn until_ready(&self) {
        eventually(
            "the door is ready, and has the keys of every issuer",
            async || {
                let readiness = self.get("/readyz", None).await;
                readiness.status == StatusCode::OK && readiness.json()["notes"]["keys_of_all"] == true
            },
        )
        .await;
    }

    pub(crate) async fn get(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a request whose URI is a path.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.begin(request).await.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// Sends a request whose URI is a path, and does not wait for the body of its answer.
    pub(crate) async fn begin(&self, mut request: Request<Body>) -> http::Response<Body> {
        *request.uri_mut() = format!("http://{}{}", self.address, request.uri())
            .parse()
            .unwrap();
        self.client.request(request).await.unwrap().map(Body::new)
    }

    /// The one event of `action` for the request that was answered so.
    pub(crate) async fn event_of(&self, answer: &Answer, action: &str) -> Event {
        let request_id = answer.header("x-request-id").to_owned();
        self.collector.one(&request_id, action).await
    }

    /// Stops the door in order.
    pub(crate) async fn close(self) {
        self.shutdown.cancel();
        self.running.await.unwrap();
    }
}

/// A policy file with `routes` to upstreams that work, break off and are not there.
async fn policy_around(routes: &str) -> String {
    let (orders, broken) = (upstream::start().await, upstream::start_broken().await);
    // What stands before the first route is for the whole file.
    let (top, routes) = routes.split_at(routes.find("[[").unwrap_or(0));
    format!(
        "same_host = true\naudience = ['orders']\n{top}\
         [upstream.orders]\nservers = ['http://{orders}']\n\
         [upstream.broken]\nservers = ['http://{broken}']\n\
         [upstream.absent]\nservers = ['http://127.0.0.1:1']\n{routes}"
    )
}

fn settings_around(issuer: &Issuer, policy_file: &Path) -> Settings {
    let surroundings = Surroundings {
        issuer: issuer.url.clone(),
        auth_url: issuer.url.clone(),
        collector_url: Some(issuer.url.clone()),
    };
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        issuer: issuer.url.clone(),
        body_max_bytes: 1024,
        listener: ListenerSettings::default(),
        decide_peers: vec![],
        gate: gate_settings(issuer, policy::load(Some(policy_file), &surroundings).unwrap()),
    }
}

/// What a gate needs, without a transport and a spool of its own.
pub(crate) fn gate_settings(issuer: &Issuer, policy: Policy) -> GateSettings {
    GateSettings {
        service: SERVICE,
        auth_url: issuer.url.clone(),
        policy,
        transport: Transport::InProcess(Bus::new()),
        spool_dir: PathBuf::new(),
        spool_max_bytes: 0,
        keys_dir: None,
        token_cache_bytes: 1024 * 1024,
        blind_max: BLIND_MAX,
        service_token: "0123456789abcdef0123456789abcdef".to_owned().into(),
        process: ProcessSettings {
            instance: "test".parse().unwrap(),
            trusted_proxies: vec![],
            log: "info".parse().unwrap(),
            log_format: LogFormat::Text,
            metrics_listen: None,
            metrics: Metrics::new(),
            traces: Traces::default(),
        },
        access_log: AccessLog::default(),
        clock: Arc::new(SystemClock),
    }
}

/// Waits until a condition holds.
pub(crate) async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting)
        .await
        .unwrap_or_else(|_| panic!("waited in vain: {what}"));
}
