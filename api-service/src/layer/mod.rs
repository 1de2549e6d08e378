//! The gate in a service of your own: verify, decide and record every request without a proxy in between.
//!
//! ```no_run
//! use api_service::layer::{self, Caller};
//! use axum::{Router, routing::get};
//! use std::net::SocketAddr;
//! use tower::{Layer as _, ServiceExt as _};
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let settings = layer::settings("orders-api", "ORDERS_", None)?;
//! let (gate, tasks) = layer::start(settings).await?;
//! let routes = Router::new().route("/orders", get(|caller: Caller| async move { caller.sub.clone() }));
//! let app = gate.layer(routes);
//! # let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! axum::serve(listener, layer::with_peers(app)).await?;
//! tasks.close().await;
//! # Ok(())
//! # }
//! ```
//!
//! Put it around the whole router, as above, so that what is decided on is what is routed: a path in another spelling (`/%6frders`)
//! is then rewritten to the one that was decided on. Inside a router, where the path was routed before, such a path is refused.
//!
//! The policy file is that of the door, without upstreams: routes need no `to` and no `host`, and what no route names is
//! refused, `/healthz` too. Events come from the service that is named, which on the broker is a user with the permissions of
//! `api-service` (`deploy/rabbitmq/definitions`); they say `door: layer`. Each is in the spool before the
//! first byte of its answer leaves; where it cannot be kept, the answer is 503. A client that goes away and a handler that panics
//! (500 `handler_panicked`) are events too.
//!
//! The process' SIGHUP and the change of the file put another policy in force, as at the door.

mod body;
mod extract;
mod service;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::Request;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use shared::http::client::pooled_client;
use shared::runtime::common::{AUTH_URL, ISSUER};
use shared::runtime::settings::{Reader, Setting};
use shared::runtime::shutdown::CancellationToken;

use crate::gate::{Gate, RunningGate};
use crate::policy::{self, PolicyError, Surroundings};
pub use crate::settings::GateSettings;
use crate::settings::read_gate;
pub use extract::Caller;
pub use service::GateService;
pub use shared::runtime::cli::StartError;

const POLICY_FILE: Setting = Setting::without_default("policy_file", "the TOML file with issuers and routes");

/// Puts the gate before a service. Clones share it.
#[derive(Clone, Debug)]
pub struct GateLayer {
    gate: Arc<Gate>,
}

impl GateLayer {
    /// Whether tokens can be decided on: keys are known, if not those of every issuer, and revocations were heard of. For `/readyz`.
    pub fn is_ready(&self) -> bool {
        self.gate.guard.has_keys() && !self.gate.guard.is_blind()
    }
}

impl<S> tower::Layer<S> for GateLayer {
    type Service = GateService<S>;

    fn layer(&self, inner: S) -> GateService<S> {
        GateService::new(Arc::clone(&self.gate), inner)
    }
}

/// What runs behind a gate. Dropped without [`GateTasks::close`], it ends at once, and the next start forwards what is left.
#[derive(Debug)]
pub struct GateTasks {
    running: RunningGate,
    stop: CancellationToken,
}

impl GateTasks {
    /// Waits until one of them has ended by itself, which it does only when it has failed, and tells which. The gate works no
    /// more as it should then, so that the process should end and be started anew.
    pub async fn failed(&mut self) -> &'static str {
        self.running.failed().await
    }

    /// Waits, for at most 15 seconds, until the last events are written and forwarded, then ends all. To be called when the
    /// last request is answered.
    pub async fn close(self) {
        self.stop.cancel();
        self.running.close().await;
    }
}

/// The settings of `service` from the TOML file at `config`, if any, and from the environment variables that begin with `prefix`:
/// `issuer`, `auth_url`, `policy_file`, `broker_url`, `spool_dir`, `service_token` and the others that the door has under these names.
/// Everything wrong is said at once.
pub fn settings(
    service: &'static str,
    prefix: &'static str,
    config: Option<&Path>,
) -> Result<GateSettings, StartError> {
    let mut reader = Reader::of_process(prefix, config);
    let r = &mut reader;
    let surroundings = Surroundings {
        issuer: r.value(&ISSUER).unwrap_or_default(),
        auth_url: r.value(&AUTH_URL).unwrap_or_default(),
        collector_url: None,
    };
    let file: Option<PathBuf> = r.value(&POLICY_FILE);
    let policy = policy::load(file.as_deref(), &surroundings);
    let policy =
        policy.map_err(|PolicyError(problems)| problems.into_iter().for_each(|problem| r.problem(problem)));
    let settings = read_gate(r, service, surroundings.auth_url, policy.ok());
    Ok(reader.finish(|| settings)?)
}

/// Opens the spool and starts what runs behind the gate.
pub async fn start(settings: GateSettings) -> Result<(GateLayer, GateTasks), StartError> {
    let client = pooled_client().map_err(StartError::failed)?;
    let stop = CancellationToken::new();
    shared::http::metrics::start(&settings.process, stop.clone()).await?;
    let running = RunningGate::start(settings, &client)?;
    let gate = running.gate();
    Ok((GateLayer { gate }, GateTasks { running, stop }))
}

/// What `axum::serve` serves, with the addresses of clients, without which the gate refuses every request.
pub fn with_peers<S>(service: S) -> IntoMakeServiceWithConnectInfo<S, SocketAddr>
where
    S: tower::Service<Request>,
{
    axum::ServiceExt::<Request>::into_make_service_with_connect_info(service)
}
