//! Sends a message.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode, Uri};
use shared::clock::UtcMicros;
use shared::http::client::PooledClient;
use tokio::time::timeout;

use super::Secret;

/// How long a receiver may take, as Standard Webhooks advises.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a message did not arrive. The texts name neither secret nor address.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// The address cannot be put into a request.
    #[error("the request cannot be built: {0}")]
    Unbuildable(#[from] http::Error),
    /// No connection, or it broke.
    #[error("the receiver cannot be reached: {0}")]
    Unreachable(#[from] hyper_util::client::legacy::Error),
    /// It took too long.
    #[error("the receiver did not answer in time")]
    TimedOut,
    /// It does not take the message.
    #[error("the receiver answered {0}")]
    Refused(StatusCode),
}

/// Sends a message with a JSON body to `uri`. Anything but 2xx is a refusal; redirects are not followed.
///
/// A message that is sent again keeps its `id`, by which receivers tell that they have it.
pub async fn send(
    client: &PooledClient,
    uri: &Uri,
    secret: &Secret,
    (id, time): (&str, UtcMicros),
    body: Vec<u8>,
) -> Result<(), WebhookError> {
    let request = Request::post(uri)
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("gatelog/", env!("CARGO_PKG_VERSION")))
        .header("webhook-id", id)
        .header("webhook-timestamp", time.as_seconds())
        .header("webhook-signature", secret.signature(id, time, &body))
        .body(Body::from(body))?;
    let answer = timeout(ANSWER_TIMEOUT, client.request(request))
        .await
        .map_err(|_| WebhookError::TimedOut)??;
    if answer.status().is_success() {
        Ok(())
    } else {
        Err(WebhookError::Refused(answer.status()))
    }
}
