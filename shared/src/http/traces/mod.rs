//! Traces: a span for every request that a service answers, sent over OTLP/HTTP.
//!
//! Everything is said by the standard `OTEL_…` variables and nothing by settings of our own; without an end point in them
//! there are no traces, and no request takes a step more. Spans wait in a bounded queue and are sent by a thread of their own:
//! a receiver that is away, slow or full costs spans and never a request.

mod export;
mod span;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};

pub use export::TracesError;
use span::RequestSpan;

/// How long the last spans may take to be sent.
const CLOSE_MAX: Duration = Duration::from_secs(3);

/// What is asked every few seconds by machines and tells nobody anything.
const UNTRACED: [&str; 2] = ["/healthz", "/readyz"];

/// The traces of this process. Clones share them.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Inner>>);

struct Inner {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
}

impl fmt::Debug for Traces {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.0.is_some() {
            "Traces(on)"
        } else {
            "Traces(off)"
        })
    }
}

/// The declared route of a request, in the extensions of its answer; for services whose router does not know it.
#[derive(Clone, Debug)]
pub struct AnsweredRoute(pub String);

impl Traces {
    /// Traces by the `OTEL_…` variables of the process: none, unless they name an end point. `service` is what the process is
    /// called where they do not say it. To be called within the runtime, which sends the spans.
    pub fn of_process(service: &'static str) -> Result<Self, TracesError> {
        let Some(provider) = export::provider_of_process(service)? else {
            return Ok(Self::default());
        };
        let tracer = provider.tracer("gatelog");
        Ok(Self(Some(Arc::new(Inner { provider, tracer }))))
    }

    /// Whether there are any.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// The same router, with a span for every request if there are traces.
    pub fn over(&self, router: Router) -> Router {
        match &self.0 {
            Some(_) => router.layer(from_fn_with_state(self.clone(), trace)),
            None => router,
        }
    }

    /// Sends what is still there, within a bound.
    pub async fn close(&self) {
        let Some(inner) = self.0.clone() else { return };
        // It waits for the sending thread, which waits for this runtime.
        let closing = tokio::task::spawn_blocking(move || inner.provider.shutdown_with_timeout(CLOSE_MAX));
        if !matches!(closing.await, Ok(Ok(()))) {
            tracing::warn!("the last traces could not be sent");
        }
    }
}

/// Answers a request within a span. The span's own id takes the place of the one that came: what follows is below it.
async fn trace(State(traces): State<Traces>, mut request: Request, next: Next) -> Response {
    let Some(inner) = traces.0.filter(|_| !UNTRACED.contains(&request.uri().path())) else {
        return next.run(request).await;
    };
    let declared = request.extensions().get::<MatchedPath>().cloned();
    let span = RequestSpan::begin(&inner.tracer, &request);
    span.hand_on(request.headers_mut());
    let mut response = next.run(request).await;
    let told = response.extensions_mut().remove::<AnsweredRoute>();
    let route = told.as_ref().map(|AnsweredRoute(route)| route.as_str());
    span.end(route.or(declared.as_ref().map(MatchedPath::as_str)), &response);
    response
}
