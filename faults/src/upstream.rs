//! The API behind the doors: answers shortly, or with more than a door collects before it passes it on.

use std::net::Ipv4Addr;

use axum::Router;
use axum::body::Bytes;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::Outcome;
use crate::shell::free_port;

/// More than the 16 KiB that a door collects, so that its event has an end of its own.
const LARGE_BYTES: usize = 96 * 1024;

/// A running API. Dropped, it ends.
#[derive(Debug)]
pub struct Upstream {
    /// Where it listens, on loopback.
    pub port: u16,
    _serving: JoinSet<()>,
}

impl Upstream {
    /// Starts it.
    pub async fn start() -> Outcome<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, free_port()?)).await?;
        let port = listener.local_addr()?.port();
        let router = Router::new()
            .route("/orders/{id}", get(async || "{\"order\":7}"))
            .route("/orders", post(async |body: Bytes| body))
            .route("/catalogue", get(async || vec![b'x'; LARGE_BYTES]));
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            drop(axum::serve(listener, router).await);
        });
        Ok(Self {
            port,
            _serving: serving,
        })
    }

    /// The policy of the doors in front of it.
    pub fn policy(&self) -> String {
        let upstream = format!(
            "audience = ['orders']\nsame_host = true\n\n[upstream.orders]\nservers = ['http://127.0.0.1:{}']\n",
            self.port
        );
        let routes = [
            ("order-read", "GET /orders/{id}"),
            ("order-create", "POST /orders"),
            ("catalogue", "GET /catalogue"),
        ]
        .map(|(name, route)| {
            format!("\n[[route]]\nname = '{name}'\nmatch = '{route}'\nallow = 'signed-in'\nto = 'orders'\n")
        });
        upstream + &routes.concat()
    }
}
