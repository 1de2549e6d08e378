//! A small API of your own behind the gate, without a proxy.
//!
//! ```sh
//! ORDERS_POLICY_FILE=api-service/examples/orders.toml ORDERS_SPOOL_DIR=spool ORDERS_SERVICE_TOKEN_FILE=… ORDERS_BROKER_URL_FILE=… \
//!     cargo run -p api-service --example orders
//! ```

use std::error::Error;

use api_service::layer::{self, Caller, GateSettings};
use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tower::Layer as _;

async fn read(caller: Caller, Path(id): Path<String>) -> Json<Value> {
    Json(json!({ "order": id, "read_by": caller.sub }))
}

async fn refund(caller: Caller, Path(id): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    Json(json!({ "order": id, "refunded": body.get("amount"), "by": caller.username }))
}

/// Serves until `stop`.
pub(crate) async fn serve(
    settings: GateSettings,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), Box<dyn Error>> {
    let (gate, mut tasks) = layer::start(settings).await?;
    let routes = Router::new()
        .route("/orders/{id}", get(read))
        .route("/orders/{id}/refund", post(refund))
        .route("/healthz", get(|| async { "up" }));
    let app = layer::with_peers(gate.layer(routes));
    tokio::select! {
        served = axum::serve(listener, app).with_graceful_shutdown(stop) => served?,
        reason = tasks.failed() => return Err(reason.into()),
    }
    tasks.close().await;
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let settings = layer::settings("orders-api", "ORDERS_", None)?;
    let listener = TcpListener::bind("127.0.0.1:9000").await?;
    serve(settings, listener, async { drop(tokio::signal::ctrl_c().await) }).await
}
