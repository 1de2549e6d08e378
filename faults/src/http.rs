//! Requests as a client of the doors makes them, with whatever comes of them.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::http::client::{PooledClient, pooled_client};
use tokio::time::timeout;

use crate::Outcome;

/// How long a client waits for an answer before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// A client that keeps its connections.
#[derive(Clone, Debug)]
pub struct HttpClient(PooledClient);

/// What a client is told.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body, or as much as was sent before it broke off.
    pub body: Bytes,
}

impl Answer {
    /// The text of a member of a JSON body.
    pub fn text(&self, member: &str) -> Option<String> {
        let body: Value = serde_json::from_slice(&self.body).ok()?;
        body.get(member)?.as_str().map(str::to_owned)
    }
}

impl HttpClient {
    /// A client without connections.
    pub fn new() -> Outcome<Self> {
        Ok(Self(pooled_client()?))
    }

    /// Sends a request; an error means that no answer came. An answer whose body breaks off is an answer.
    pub async fn send(&self, request: Request<Body>) -> Outcome<Answer> {
        let (head, mut body) = timeout(PATIENCE, self.0.request(request)).await??.into_parts();
        let mut read = Vec::new();
        let reading = async {
            while let Some(Ok(frame)) = body.frame().await {
                if let Ok(data) = frame.into_data() {
                    read.extend_from_slice(&data);
                }
            }
        };
        drop(timeout(PATIENCE, reading).await);
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body: read.into(),
        })
    }

    /// `GET`s a URL.
    pub async fn get(&self, url: &str) -> Outcome<Answer> {
        self.send(Request::get(url).body(Body::empty())?).await
    }

    /// Sends JSON; anything but success is an error.
    pub async fn post(&self, url: &str, bearer: Option<&str>, body: &Value) -> Outcome<Answer> {
        let mut request = Request::builder().method(Method::POST).uri(url);
        request = request.header("content-type", "application/json");
        if let Some(token) = bearer {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let answer = self.send(request.body(Body::from(body.to_string()))?).await?;
        if answer.status.is_success() {
            Ok(answer)
        } else {
            Err(format!("{url} was answered with {}", answer.status).into())
        }
    }
}
