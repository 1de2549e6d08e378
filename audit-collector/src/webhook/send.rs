//! Sends messages.

use std::time::Duration;

use axum::body::Body;
use http::header::{CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::request::Builder;
use http::{HeaderMap, Request, StatusCode};
use shared::clock::UtcMicros;
use shared::http::client::PooledClient;
use tokio::time::timeout;

use super::{Address, Secret};

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
    #[error("the receiver answered {status}")]
    Refused {
        /// Its answer.
        status: StatusCode,
        /// After how long it asks to be tried again (RFC 9110 §10.2.3, in seconds).
        retry_after: Option<Duration>,
    },
}

/// Sends a message with a JSON body to `address`. Anything but 2xx is a refusal; redirects are not followed.
///
/// A message that is sent again keeps its `id`, by which receivers tell that they have it.
pub async fn send(
    client: &PooledClient,
    address: &Address,
    secret: &Secret,
    (id, time): (&str, UtcMicros),
    body: Vec<u8>,
) -> Result<StatusCode, WebhookError> {
    let request = json(address)
        .header("webhook-id", id)
        .header("webhook-timestamp", time.as_seconds())
        .header("webhook-signature", secret.signature(id, time, &body));
    deliver(client, request, body).await
}

/// The same without a signature, to a receiver that takes the knowledge of its address for a proof.
pub async fn send_unsigned(
    client: &PooledClient,
    address: &Address,
    body: Vec<u8>,
) -> Result<StatusCode, WebhookError> {
    deliver(client, json(address), body).await
}

fn json(address: &Address) -> Builder {
    Request::post(address.uri())
        .header(CONTENT_TYPE, "application/json")
        .header(USER_AGENT, concat!("gatelog/", env!("CARGO_PKG_VERSION")))
}

async fn deliver(client: &PooledClient, request: Builder, body: Vec<u8>) -> Result<StatusCode, WebhookError> {
    let request = request.body(Body::from(body))?;
    let answer = timeout(ANSWER_TIMEOUT, client.request(request))
        .await
        .map_err(|_| WebhookError::TimedOut)??;
    let status = answer.status();
    if status.is_success() {
        return Ok(status);
    }
    Err(WebhookError::Refused {
        status,
        retry_after: retry_after(answer.headers()),
    })
}

/// Dates are not understood: receivers that ask for patience use seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok()?;
    Some(Duration::from_secs(seconds))
}
