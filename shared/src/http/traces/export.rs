//! Sends spans, by our own HTTP client.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use http_body_util::{BodyExt as _, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::runtime::Handle;

use super::super::client::{PooledClient, pooled_client};

/// The variables that turn traces on.
const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// How long one call may take: the standard's default.
const CALL_MAX: Duration = Duration::from_secs(10);

/// The largest answer of a receiver that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The `OTEL_…` variables cannot be followed.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// What they say is not of the right form.
    #[error("traces: {0}")]
    Settings(#[from] ExporterBuildError),
    /// There is no client to send them with.
    #[error("traces cannot be sent: {0}")]
    Client(#[from] rustls::Error),
}

/// What sends spans as the process's variables say; `None` if they name no end point or turn it off.
pub(super) fn provider_of_process(service: &'static str) -> Result<Option<SdkTracerProvider>, TracesError> {
    let is_off = says("OTEL_SDK_DISABLED", "true") || says("OTEL_TRACES_EXPORTER", "none");
    if is_off || !ENDPOINTS.iter().any(|name| variable(name).is_some()) {
        return Ok(None);
    }
    let client = Sender {
        client: pooled_client()?,
        runtime: Handle::current(),
        is_failing: AtomicBool::new(false),
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .build()?;
    let resource = match variable("OTEL_SERVICE_NAME") {
        Some(_) => Resource::builder(),
        None => Resource::builder().with_service_name(service),
    };
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .with_resource(resource.build());
    Ok(Some(provider.build()))
}

fn says(name: &str, value: &str) -> bool {
    variable(name).is_some_and(|said| said.eq_ignore_ascii_case(value))
}

/// Empty is as good as absent, as the standard has it.
#[expect(
    clippy::disallowed_methods,
    reason = "these variables are a standard's and no settings of ours"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Sends within the runtime, whatever thread asks for it. A failure is told once, until one succeeds.
#[derive(Debug)]
struct Sender {
    client: PooledClient,
    runtime: Handle,
    is_failing: AtomicBool,
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (client, request) = (self.client.clone(), request.map(Body::from));
        // Whoever asks is a thread without a runtime, in which not even a timer can be made.
        let call = self
            .runtime
            .spawn(async move { tokio::time::timeout(CALL_MAX, call(client, request)).await });
        let answered = async { call.await?? }.await;
        let problem = match &answered {
            Ok(answer) if answer.status().is_success() => None,
            Ok(answer) => Some(answer.status().to_string()),
            Err(error) => Some(error.to_string()),
        };
        let was_failing = self.is_failing.swap(problem.is_some(), Ordering::Relaxed);
        match problem {
            Some(problem) if !was_failing => tracing::warn!(problem, "traces cannot be sent and are dropped"),
            None if was_failing => tracing::info!("traces are sent again"),
            _ => {}
        }
        answered
    }
}

async fn call(client: PooledClient, request: Request<Body>) -> Result<Response<Bytes>, HttpError> {
    let (head, body) = client.request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await?;
    Ok(Response::from_parts(head, body.to_bytes()))
}
