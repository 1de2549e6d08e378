//! Metrics over HTTP: the private listener that answers with them, and the count of a service's own answers.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::method::known_method;
use super::problem::Problem;
use super::serve::{RefusedCause, serve};
use crate::runtime::cli::{StartError, listen};
use crate::runtime::common::ProcessSettings;
use crate::runtime::metrics::Metrics;
use crate::runtime::shutdown::CancellationToken;

/// The media type of `OpenMetrics` 1.0.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The upper ends of the classes of durations, in seconds: a cached answer, a commit, a hash, a queue of hashes.
const DURATIONS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// The route of what has none.
const NO_ROUTE: &str = "none";

/// Serves `/metrics` at the address that the settings name, if they do, until `shutdown`.
pub async fn start(process: &ProcessSettings, shutdown: CancellationToken) -> Result<(), StartError> {
    let Some(address) = process.metrics_listen else {
        return Ok(());
    };
    let listener = listen(address).await?;
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, "metrics are served");
    }
    tokio::spawn(serve(listener, router(process.metrics.clone()), shutdown));
    Ok(())
}

/// `GET /metrics` and nothing else.
pub fn router(metrics: Metrics) -> Router {
    Router::new()
        .route("/metrics", get(read))
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "not_found", "there is nothing here"))
        .with_state(metrics)
}

async fn read(State(metrics): State<Metrics>) -> Response {
    match metrics.read().await {
        Ok(text) => ([(CONTENT_TYPE, OPEN_METRICS), (CACHE_CONTROL, "no-store")], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A histogram of durations in seconds.
pub fn durations() -> Histogram {
    Histogram::new(DURATIONS)
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answered {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: &'static str,
}

/// What a listener refused before it was a request.
#[derive(Clone, Debug)]
pub struct Refusals(Family<Cause, Counter>);

impl Refusals {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let refusals = Self(Family::default());
        registry.register(
            "connections_refused",
            "Connections that were closed, or answered with a refusal, before there was a request",
            refusals.0.clone(),
        );
        refusals
    }

    /// Counts one.
    pub fn count(&self, cause: RefusedCause) {
        let cause = cause.code();
        self.0.get_or_create(&Cause { cause }).inc();
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Route {
    route: String,
}

/// A service's answers, by route as it is declared, never by path as it was sent.
#[derive(Clone, Debug)]
pub struct Answers {
    count: Family<Answered, Counter>,
    durations: Family<Route, Histogram, fn() -> Histogram>,
}

impl Answers {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let answers = Self {
            count: Family::default(),
            durations: Family::new_with_constructor(durations),
        };
        registry.register(
            "http_requests",
            "Requests that were answered, by route as declared, method and status",
            answers.count.clone(),
        );
        registry.register_with_unit(
            "http_request_duration",
            "Time from the head of a request to the head of its answer",
            Unit::Seconds,
            answers.durations.clone(),
        );
        answers
    }

    /// Counts an answer. `route` is the declared route, such as `/v1/sessions/{id}`; `None` if there is none.
    pub fn count(&self, method: &Method, route: Option<&str>, status: StatusCode, duration: Duration) {
        let route = route.unwrap_or(NO_ROUTE).to_owned();
        let answered = Answered {
            method: known_method(method).unwrap_or("other"),
            route: route.clone(),
            status: status.as_u16(),
        };
        self.count.get_or_create(&answered).inc();
        self.durations
            .get_or_create(&Route { route })
            .observe(duration.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::extract::Request;
    use http_body_util::BodyExt as _;
    use tower::ServiceExt as _;

    use super::*;

    #[tokio::test]
    async fn answers_are_counted_by_declared_route_and_strange_methods_are_one() {
        let metrics = Metrics::new();
        let answers = metrics.register("gatelog_x", Answers::register);
        let strange = |word: &str| Method::from_bytes(word.as_bytes()).unwrap();
        let moment = Duration::from_millis(3);
        answers.count(&Method::GET, Some("/v1/sessions/{id}"), StatusCode::OK, moment);
        answers.count(&strange("BREW"), None, StatusCode::NOT_FOUND, moment);
        answers.count(&strange("WHEN"), None, StatusCode::NOT_FOUND, moment);

        let text = metrics.read().await.unwrap();

        let line = r#"gatelog_x_http_requests_total{method="GET",route="/v1/sessions/{id}",status="200"} 1"#;
        assert!(text.contains(line), "{text}");
        let line = r#"gatelog_x_http_requests_total{method="other",route="none",status="404"} 2"#;
        assert!(text.contains(line), "{text}");
        let line = r#"gatelog_x_http_request_duration_seconds_bucket{le="0.005",route="none"} 2"#;
        assert!(text.contains(line), "{text}");
    }

    #[tokio::test]
    async fn the_private_listener_answers_with_open_metrics_and_nothing_else() {
        let ask = |path: &str| {
            let request = Request::get(path).body(Body::empty()).unwrap();
            router(Metrics::new()).oneshot(request)
        };

        let metrics = ask("/metrics").await.unwrap();
        let elsewhere = ask("/").await.unwrap();

        assert_eq!(metrics.headers()[CONTENT_TYPE], OPEN_METRICS);
        let text = metrics.into_body().collect().await.unwrap().to_bytes();
        assert!(text.ends_with(b"# EOF\n"));
        assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
    }
}
