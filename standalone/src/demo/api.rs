//! The demo's API behind the door: a shop that knows nothing of tokens.

use std::net::SocketAddr;

use axum::extract::Path;
use axum::routing::{get, post};
use axum::{Json, Router};
use http::HeaderMap;
use serde_json::{Value, json};
use shared::runtime::cli::{StartError, listen};

use super::AUDIENCE;

/// Serves the shop on a free port.
pub(super) async fn start() -> Result<SocketAddr, StartError> {
    let router = Router::new()
        .route(
            "/shop/catalog",
            get(|| async { Json(json!({ "items": ["tea", "cup", "kettle"] })) }),
        )
        .route("/shop/orders/{id}", get(order))
        .route("/shop/orders/{id}/refund", post(refund));
    let listener = listen(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    let address = listener.local_addr().map_err(StartError::failed)?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(address)
}

/// The routes to the shop. It shares the issuer's host, which is for development only.
pub(super) fn policy(api: SocketAddr) -> String {
    format!(
        r#"same_host = true
audience = ["{AUDIENCE}"]

[upstream.shop]
servers = ["http://{api}"]

[[route]]
name = "catalog"
match = "GET /shop/catalog"
allow = "anyone"
to = "shop"

[[route]]
name = "order-read"
match = "GET /shop/orders/{{id}}"
allow = "role:user | role:admin"
to = "shop"

[[route]]
name = "order-refund"
match = "POST /shop/orders/{{id}}/refund"
allow = "role:admin"
to = "shop"
"#
    )
}

async fn order(Path(id): Path<u32>, headers: HeaderMap) -> Json<Value> {
    Json(json!({ "order": id, "read_by": headers.get("x-username").and_then(|name| name.to_str().ok()) }))
}

async fn refund(Path(id): Path<u32>) -> Json<Value> {
    Json(json!({ "order": id, "refunded": true }))
}
