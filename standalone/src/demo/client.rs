//! The demo's HTTP client.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::Value;
use shared::http::client::{PooledClient, pooled_client};
use shared::runtime::cli::StartError;

/// Talks to one door.
pub(super) struct Client {
    pool: PooledClient,
    url: String,
    program: &'static str,
    /// Of all that are at work.
    answered: Arc<Mutex<Answered>>,
}

/// How many requests were answered with which status.
pub(super) type Answered = BTreeMap<u16, u32>;

/// An answer; `Null` if its body is not JSON.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Value,
}

impl Answer {
    /// A text in the body, empty if it is not there.
    pub(super) fn text(&self, name: &str) -> String {
        self.body
            .get(name)
            .and_then(Value::as_str)
            .unwrap_or_default()
            .to_owned()
    }
}

impl Client {
    pub(super) fn new(url: &str) -> Result<Self, StartError> {
        Ok(Self {
            pool: pooled_client().map_err(StartError::failed)?,
            url: url.to_owned(),
            program: "shop-app/1.0",
            answered: Arc::default(),
        })
    }

    /// The same as another program, such as that of a thief.
    pub(super) fn as_program(&self, program: &'static str) -> Self {
        Self {
            pool: self.pool.clone(),
            url: self.url.clone(),
            program,
            answered: Arc::clone(&self.answered),
        }
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The answers so far.
    pub(super) fn answered(&self) -> Answered {
        self.answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    pub(super) async fn get(&self, path: &str, token: Option<&str>) -> Result<Answer, StartError> {
        self.send("GET", path, token, None).await
    }

    pub(super) async fn post(
        &self,
        path: &str,
        token: Option<&str>,
        body: &Value,
    ) -> Result<Answer, StartError> {
        self.send("POST", path, token, Some(("application/json", body.to_string())))
            .await
    }

    pub(super) async fn post_form(&self, path: &str, body: &str) -> Result<Answer, StartError> {
        self.send(
            "POST",
            path,
            None,
            Some(("application/x-www-form-urlencoded", body.to_owned())),
        )
        .await
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<(&str, String)>,
    ) -> Result<Answer, StartError> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(USER_AGENT, self.program);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some((media_type, _)) = &body {
            request = request.header(CONTENT_TYPE, *media_type);
        }
        let body = body.map_or_else(Body::empty, |(_, text)| Body::from(text));
        let request = request.body(body).map_err(StartError::failed)?;
        let response = self.pool.request(request).await.map_err(StartError::failed)?;
        let status = response.status();
        *self
            .answered
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .entry(status.as_u16())
            .or_default() += 1;
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(StartError::failed)?
            .to_bytes();
        Ok(Answer {
            status,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
        })
    }
}
