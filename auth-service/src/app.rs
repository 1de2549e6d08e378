//! What all handlers share, the router, and what every request passes through.

use std::ops::Deref;
use std::sync::{Arc, Weak};
use std::time::Instant;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, Method};
use secrecy::SecretString;
use shared::clock::{SharedClock, UtcMicros};
use shared::guard::Guard;
use shared::http::request_id::X_REQUEST_ID;
use shared::runtime::common::ProcessSettings;
use shared::runtime::shutdown::TaskTracker;
use shared::token::GATELOG_AUDIENCE;

use crate::error::{ApiError, Failed, Internal};
use crate::hosted_page::FormTokenKey;
use crate::metrics::AuthMetrics;
use crate::outbox::RelayState;
use crate::password::{Breached, Hasher};
use crate::request::RequestContext;
use crate::second_factor::FactorKeys;
use crate::session::RefreshTokenKey;
use crate::signing_key::Keys;
use crate::throttle::{BucketKey, Refusals};
use crate::token::MintRules;
use crate::{
    api_key, authorize, block, client, consent, enforcement, health, hosted_page, metadata, openapi, openid,
    password, role, second_factor, session, setup, sign_in, signing_key, throttle, token, user,
};
use shared::database::Database;
use utoipa_axum::router::OpenApiRouter;

/// The parts of a running service. Clones share them.
#[derive(Clone, Debug)]
pub(crate) struct App(Arc<Parts>);

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) database: Database,
    pub(crate) keys: Keys,
    pub(crate) mint_rules: MintRules,
    pub(crate) refresh_key: RefreshTokenKey,
    pub(crate) form_key: FormTokenKey,
    pub(crate) hasher: Hasher,
    pub(crate) breached: Option<Breached>,
    pub(crate) factor_keys: FactorKeys,
    pub(crate) bucket_key: BucketKey,
    pub(crate) refusals: Refusals,
    pub(crate) guard: Guard,
    pub(crate) service_token: SecretString,
    pub(crate) audiences: Vec<String>,
    pub(crate) process: ProcessSettings,
    pub(crate) clock: SharedClock,
    pub(crate) relay: RelayState,
    pub(crate) metrics: AuthMetrics,
    /// Requests that were begun, which end even if their client has gone.
    pub(crate) requests: TaskTracker,
}

impl Deref for App {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl App {
    pub(crate) fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The same without keeping it alive.
    pub(crate) fn downgrade(&self) -> WeakApp {
        WeakApp(Arc::downgrade(&self.0))
    }

    /// Whether tokens are minted for that audience.
    pub(crate) fn knows_audience(&self, audience: &str) -> bool {
        audience == GATELOG_AUDIENCE || self.audiences.iter().any(|known| known == audience)
    }

    /// The present moment.
    pub(crate) fn now(&self) -> UtcMicros {
        self.clock.now()
    }
}

/// A service that may be gone.
#[derive(Clone, Debug)]
pub(crate) struct WeakApp(Weak<Parts>);

impl WeakApp {
    /// The service, if it is still there.
    pub(crate) fn upgrade(&self) -> Option<App> {
        self.0.upgrade().map(App)
    }
}

/// Every end point with its description.
pub(crate) fn end_points() -> OpenApiRouter<App> {
    EndPoints::default()
        .merge(setup::routes())
        .merge(authorize::routes())
        .merge(hosted_page::routes())
        .merge(consent::routes())
        .merge(openid::routes())
        .merge(sign_in::routes())
        .merge(second_factor::routes())
        .merge(session::routes())
        .merge(token::routes())
        .merge(client::routes())
        .merge(api_key::routes())
        .merge(password::routes())
        .merge(user::routes())
        .merge(role::routes())
        .merge(block::routes())
        .merge(throttle::routes())
        .merge(signing_key::routes())
        .merge(metadata::routes())
        .merge(enforcement::routes())
        .merge(health::routes())
        .merge(openapi::routes())
        .0
}

/// Gathers end points.
#[derive(Default)]
struct EndPoints(OpenApiRouter<App>);

impl EndPoints {
    fn merge(self, more: impl Into<OpenApiRouter<App>>) -> Self {
        Self(self.0.merge(more.into()))
    }
}

/// The service's router.
pub(crate) fn router(app: App) -> Router {
    Router::from(end_points())
        .fallback(async || ApiError::NotFound)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        .layer(from_fn_with_state(app.clone(), enter))
        .with_state(app)
}

/// Gives the request its id and its facts, runs it to its end, and answers what went wrong.
///
/// It runs as a task of its own: a client that goes away must not cut a change off between its commit and what follows,
/// nor leave a transaction half begun.
async fn enter(State(app): State<App>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let (mut head, body) = request.into_parts();
    let context = RequestContext::of(&head, &app.process.trusted_proxies);
    let request_id = context.trace.request_id.clone();
    let route = head.extensions.get::<MatchedPath>().cloned();
    let method = head.method.clone();
    let target = format!("{} {}", head.method, head.uri.path());
    head.extensions.insert(context);
    // Only what may sign waits for the database: the rest is to be had while that is away.
    if method == Method::POST {
        app.keys.keep_fresh(&app).await;
    }
    let running = app.requests.spawn(next.run(Request::from_parts(head, body)));
    let mut response = match running.await {
        Ok(response) => response,
        Err(_) => ApiError::Internal(Internal::Panicked).into_response(),
    };
    if let Some(Failed { problem, cause }) = response.extensions_mut().remove::<Failed>() {
        tell(&target, &request_id, problem.status, &cause);
        let allow = response.headers_mut().remove(http::header::ALLOW);
        response = problem.for_request(&request_id).into_response();
        if let Some(allow) = allow {
            response.headers_mut().insert(http::header::ALLOW, allow);
        }
    }
    let route = route.as_ref().map(MatchedPath::as_str);
    app.metrics
        .answers
        .count(&method, route, response.status(), begun.elapsed());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(X_REQUEST_ID, value);
    }
    response
}

/// Logs what went wrong, once, here.
fn tell(target: &str, request_id: &str, status: http::StatusCode, cause: &str) {
    let status = status.as_u16();
    if status >= 500 {
        tracing::error!(
            request.target = target,
            request.id = request_id,
            status,
            cause,
            "a request failed"
        );
    } else {
        tracing::debug!(
            request.target = target,
            request.id = request_id,
            status,
            cause,
            "a request was refused"
        );
    }
}
