//! auth-service, which carries orders out: asked as an administrator asks it, by a client of its own that may do just that.

use axum::body::{Body, to_bytes};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, IF_MATCH};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::{Value, json};
use shared::http::DECISION;
use shared::http::client::PooledClient;
use tokio::sync::Mutex;
use tokio::time::timeout;
use url::form_urlencoded;

use super::kept::Kept;
use super::order::{Action, Order};

/// How long a call may take.
const CALL_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(5);

/// The largest answer read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// What auth-service says if it enables no user: somebody else has disabled it, before or as well.
pub(super) const DISABLED_BY_ANOTHER: &str = "disabled_by_another";

/// The client of auth-service by which orders are given.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub secret: SecretString,
}

/// auth-service as orders reach it.
#[derive(Debug)]
pub(crate) struct Auth {
    client: PooledClient,
    base: String,
    credentials: Credentials,
    /// The last token, used until it is refused.
    token: Mutex<Option<SecretString>>,
}

/// Why an order was not carried out, as a code and what was said.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotDone {
    /// It never will be.
    #[error("auth_service_refused: {0}")]
    Refused(String),
    /// It may be later.
    #[error("auth_service_unreachable: {0}")]
    Later(String),
}

impl NotDone {
    fn later(error: &impl ToString) -> Self {
        Self::Later(error.to_string())
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Value,
}

impl Answer {
    /// By what name refusals know what was done.
    fn decision(&self) -> Option<String> {
        let named = self.headers.get(DECISION)?.to_str().ok()?;
        Some(named.to_owned())
    }

    /// What it means if it is not what was hoped for.
    fn not_done(&self) -> NotDone {
        let code = self.body.get("code").or_else(|| self.body.get("error"));
        let code = code.and_then(Value::as_str).unwrap_or(self.status.as_str());
        let is_passing = self.status.is_server_error()
            || [
                StatusCode::UNAUTHORIZED,
                StatusCode::REQUEST_TIMEOUT,
                StatusCode::PRECONDITION_FAILED,
                StatusCode::TOO_MANY_REQUESTS,
            ]
            .contains(&self.status);
        if is_passing {
            NotDone::Later(code.to_owned())
        } else {
            NotDone::Refused(code.to_owned())
        }
    }
}

impl Auth {
    pub(crate) fn new(client: PooledClient, base: &str, credentials: Credentials) -> Self {
        Self {
            client,
            base: base.trim_end_matches('/').to_owned(),
            credentials,
            token: Mutex::new(None),
        }
    }

    /// Carries an order out; by what name refusals will know it, if it has one. Done twice it is done once.
    ///
    /// `order` is the kept one with what its value stands for.
    pub(super) async fn enforce(&self, kept: &Kept, order: &Order) -> Result<Option<String>, NotDone> {
        let value = order.value.as_str();
        match order.action {
            Action::RevokeSession => {
                let answer = self
                    .ask(Method::DELETE, &format!("/v1/admin/sessions/{value}"), None, None)
                    .await?;
                done(&answer, StatusCode::NO_CONTENT).map(|()| answer.decision())
            }
            Action::RevokeToken => self.block("token", kept, order).await.map(Some),
            Action::BlockAddress => self.block("address", kept, order).await.map(Some),
            Action::BlockSubject => self.block("subject", kept, order).await.map(Some),
            Action::RequireStepUp => self.block("step_up", kept, order).await.map(Some),
            Action::LockAccount => self.set_disabled(value, true).await,
        }
    }

    /// Undoes an order. What is over already is undone.
    pub(super) async fn undo(&self, kept: &Kept) -> Result<(), NotDone> {
        if kept.order.action == Action::LockAccount {
            return self.set_disabled(&kept.order.value, false).await.map(drop);
        }
        let Some(block) = &kept.decision else {
            return Ok(());
        };
        let path = format!("/v1/admin/blocks/{block}");
        let answer = self.ask(Method::DELETE, &path, None, None).await?;
        if answer.status == StatusCode::NOT_FOUND {
            return Ok(());
        }
        done(&answer, StatusCode::NO_CONTENT)
    }

    async fn block(&self, kind: &str, kept: &Kept, order: &Order) -> Result<String, NotDone> {
        let seconds = order.lifetime.unwrap_or_default().as_secs();
        let reason = format!("alert {}: {}", kept.fingerprint, kept.reason);
        let body = json!({ kind: order.value, "reason": reason, "seconds": seconds, "key": kept.id });
        let answer = self
            .ask(Method::POST, "/v1/admin/blocks", None, Some(&body))
            .await?;
        done(&answer, StatusCode::CREATED)?;
        let id = answer.body.get("id").and_then(Value::as_str);
        id.map(str::to_owned)
            .ok_or_else(|| NotDone::later(&"its answer names no block"))
    }

    /// Disables or enables a user; by what name refusals know that it is disabled.
    async fn set_disabled(&self, user: &str, disabled: bool) -> Result<Option<String>, NotDone> {
        let path = format!("/v1/admin/users/{user}");
        let seen = self.ask(Method::GET, &path, None, None).await?;
        done(&seen, StatusCode::OK)?;
        let tag = seen.headers.get(ETAG).cloned();
        let body = json!({ "disabled": disabled });
        let answer = self.ask(Method::PATCH, &path, tag, Some(&body)).await?;
        done(&answer, StatusCode::OK).map(|()| answer.decision())
    }

    /// Asks with a token, and once more with a new one if the former is not good any more.
    async fn ask(
        &self,
        method: Method,
        path: &str,
        if_match: Option<HeaderValue>,
        body: Option<&Value>,
    ) -> Result<Answer, NotDone> {
        let mut token = self.token.lock().await;
        for is_last in [false, true] {
            let bearer = match token.take() {
                Some(known) if !is_last => known,
                _ => self.sign_in().await?,
            };
            let mut request = Request::builder()
                .method(method.clone())
                .uri(format!("{}{path}", self.base))
                .header(
                    AUTHORIZATION,
                    sensitive(&format!("Bearer {}", bearer.expose_secret()))?,
                );
            if let Some(tag) = &if_match {
                request = request.header(IF_MATCH, tag);
            }
            let request = match body {
                Some(body) => request
                    .header(CONTENT_TYPE, "application/json")
                    .body(Body::from(body.to_string())),
                None => request.body(Body::empty()),
            };
            let answer = self
                .send(request.map_err(|error| NotDone::later(&error))?)
                .await?;
            if answer.status != StatusCode::UNAUTHORIZED || is_last {
                *token = Some(bearer);
                return Ok(answer);
            }
        }
        Err(NotDone::later(&"the token is refused"))
    }

    /// A token for the client itself (RFC 6749 §4.4).
    async fn sign_in(&self) -> Result<SecretString, NotDone> {
        let encoded = |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
        let Credentials { client_id, secret } = &self.credentials;
        // Each part is form-encoded first (RFC 6749 §2.3.1).
        let basic = format!("{}:{}", encoded(client_id), encoded(secret.expose_secret()));
        let request = Request::post(format!("{}/oauth/token", self.base))
            .header(
                AUTHORIZATION,
                sensitive(&format!("Basic {}", STANDARD.encode(basic)))?,
            )
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            // All that the client may: `enforcement:write` is enough.
            .body(Body::from("grant_type=client_credentials&resource=gatelog"))
            .map_err(|error| NotDone::later(&error))?;
        let answer = self.send(request).await?;
        // A secret that is being changed may be right soon.
        let token = answer.body.get("access_token").and_then(Value::as_str);
        token
            .map(SecretString::from)
            .ok_or_else(|| NotDone::Later(format!("no token: {}", answer.not_done())))
    }

    async fn send(&self, request: Request<Body>) -> Result<Answer, NotDone> {
        let call = async {
            let answer = self
                .client
                .request(request)
                .await
                .map_err(|error| NotDone::later(&error))?;
            let (head, body) = answer.into_parts();
            let bytes = to_bytes(Body::new(body), ANSWER_BYTES_MAX)
                .await
                .map_err(|error| NotDone::later(&error))?;
            Ok(Answer {
                status: head.status,
                headers: head.headers,
                body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            })
        };
        timeout(CALL_TIMEOUT, call)
            .await
            .map_err(|_| NotDone::later(&"no answer in time"))?
    }
}

fn done(answer: &Answer, hoped_for: StatusCode) -> Result<(), NotDone> {
    (answer.status == hoped_for)
        .then_some(())
        .ok_or_else(|| answer.not_done())
}

fn sensitive(text: &str) -> Result<HeaderValue, NotDone> {
    let mut value = HeaderValue::from_str(text).map_err(|error| NotDone::later(&error))?;
    value.set_sensitive(true);
    Ok(value)
}
