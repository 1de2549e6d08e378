//! What requests share, and the routes.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Extension, State};
use axum::http::HeaderValue;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse, Response};
use axum::{Router, middleware};
use ipnet::IpNet;
use shared::clock::SharedClock;
use shared::guard::Guard;
use shared::http::health::Readiness;
use shared::http::metrics::Answers;
use shared::http::problem::Problem;
use shared::spool::Spool;
use tokio::sync::watch;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::{RequestFacts, note_request};
use crate::detection::Backtests;
use crate::detection::rule::RuleSet;
use crate::error::ApiError;
use crate::event_log::EventLog;
use crate::export::Exports;
use crate::notification::Notifying;
use crate::response::Responding;
use crate::retention::Periods;
use crate::tail::Tails;
use crate::{
    alert, completeness, console, dead_letter, detection, export, forwarding, notification, openapi,
    pseudonym, response, retention, search, statistics, tail, timeline,
};

/// What requests share.
#[derive(Clone, Debug)]
pub struct AppState {
    /// The log.
    pub log: EventLog,
    /// Who decides on tokens.
    pub guard: Arc<Guard>,
    /// Answers by route.
    pub answers: Answers,
    /// Where reads are recorded.
    pub spool: Spool,
    /// Whose forwarded headers count.
    pub trusted_proxies: Arc<[IpNet]>,
    /// The rules in force.
    pub rules: watch::Receiver<RuleSet>,
    /// How responses are ordered; `None` where there are none.
    pub responding: Option<Responding>,
    /// How those are told who are to know of alerts.
    pub notifying: Notifying,
    /// Whether events are being consumed.
    pub consuming: watch::Receiver<bool>,
    /// Who follows the log.
    pub tails: Tails,
    /// Who takes the log elsewhere.
    pub exports: Exports,
    /// Who tries rules on the past.
    pub backtests: Backtests,
    /// How long a number may be missing before it counts as lost.
    pub gap_after: Duration,
    /// For how long the settings ask to keep events.
    pub periods: Periods,
    /// The clock.
    pub clock: SharedClock,
}

/// What readers of the log ask.
fn log() -> OpenApiRouter<AppState> {
    search::routes()
        .merge(pseudonym::routes())
        .merge(statistics::routes())
        .merge(export::routes())
        .merge(forwarding::routes())
        .merge(retention::routes())
        .merge(tail::routes())
        .merge(timeline::routes())
        .merge(completeness::routes())
        .merge(dead_letter::routes())
        .merge(alert::routes())
        .merge(response::routes())
        .merge(notification::routes())
        .merge(detection::routes())
}

/// What operators ask; no read of the log.
fn operation() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .merge(openapi::routes())
}

/// Every end point with its description.
pub(crate) fn end_points() -> OpenApiRouter<AppState> {
    log().merge(console::routes()).merge(operation())
}

/// Every route of the service.
pub fn router(app: AppState) -> Router {
    let api = Router::from(log())
        .fallback(no_such_path)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::map_response(not_stored))
        .layer(CatchPanicLayer::new())
        .layer(middleware::from_fn_with_state(app.clone(), note_request));
    Router::from(operation().merge(console::routes()))
        .merge(api)
        .with_state(app)
}

/// The process answers.
#[utoipa::path(
    get,
    path = "/healthz",
    operation_id = "readHealth",
    tag = "operation",
    responses((status = 200, description = "`ok`", body = String, content_type = "text/plain"))
)]
async fn healthz() -> impl IntoResponse {
    shared::http::health::healthz().await
}

/// Ready when the database and the consumer are, and tokens can be decided on.
#[utoipa::path(
    get,
    path = "/readyz",
    operation_id = "readReadiness",
    tag = "operation",
    responses((status = 200, description = "Ready", body = Object), (status = 503, description = "Not ready", body = Object))
)]
async fn readyz(State(app): State<AppState>) -> Readiness {
    Readiness::of([
        ("database", app.log.database().answers().await),
        ("consumer", *app.consuming.borrow()),
        ("keys", app.guard.has_all_keys()),
        ("revocations", !app.guard.is_blind()),
    ])
}

async fn no_such_path(Extension(request): Extension<RequestFacts>) -> Problem {
    ApiError::NoSuchPath
        .problem()
        .for_request(&request.trace.request_id)
}

async fn method_not_allowed(Extension(request): Extension<RequestFacts>) -> Problem {
    ApiError::MethodNotAllowed
        .problem()
        .for_request(&request.trace.request_id)
}

/// Nothing of the log belongs into a cache.
async fn not_stored(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
