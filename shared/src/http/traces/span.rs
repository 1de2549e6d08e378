//! One span, by the semantic conventions for HTTP servers. It holds no header but the user agent, and no query.

use http::header::USER_AGENT;
use http::{HeaderMap, HeaderValue, Request, Response};
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{Span as _, SpanKind, Status, TraceContextExt as _, Tracer as _};
use opentelemetry::{Context, KeyValue};
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};

use super::super::request_id::X_REQUEST_ID;
use crate::event::bounded;
use crate::http::method::known_method;

const TRACEPARENT: &str = "traceparent";

/// As in events.
const PATH_BYTES_MAX: usize = 1024;
const USER_AGENT_BYTES_MAX: usize = 512;

/// The span of a request that is not answered yet. Dropped, it ends as it is: the client has gone.
pub(super) struct RequestSpan {
    span: Span,
    method: &'static str,
}

impl RequestSpan {
    /// Begins the span of `request`. Of a `traceparent` that came with it only the ids are taken, for whoever joins
    /// traces; whether to sample is the configured sampler's to say.
    pub(super) fn begin<B>(tracer: &SdkTracer, request: &Request<B>) -> Self {
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &HeaderExtractor(request.headers()));
        // The semantic conventions have one word for all others.
        let method = known_method(request.method()).unwrap_or("_OTHER");
        let mut attributes = vec![
            KeyValue::new("http.request.method", method),
            KeyValue::new("url.path", bounded(request.uri().path(), PATH_BYTES_MAX)),
            KeyValue::new(
                "url.scheme",
                request.uri().scheme_str().unwrap_or("http").to_owned(),
            ),
        ];
        let agent = request.headers().get(USER_AGENT);
        attributes.extend(agent.map(|agent| {
            let agent = String::from_utf8_lossy(agent.as_bytes());
            KeyValue::new("user_agent.original", bounded(&agent, USER_AGENT_BYTES_MAX))
        }));
        let span = tracer
            .span_builder(method)
            .with_kind(SpanKind::Server)
            .with_attributes(attributes)
            .start_with_context(tracer, &parent);
        Self { span, method }
    }

    /// Puts the span into the headers of what is done for the request.
    pub(super) fn hand_on(&self, headers: &mut HeaderMap) {
        let own = Context::new().with_remote_span_context(self.span.span_context().clone());
        let mut carrier = std::collections::HashMap::new();
        TraceContextPropagator::new().inject_context(&own, &mut carrier);
        match carrier.remove(TRACEPARENT).map(HeaderValue::try_from) {
            Some(Ok(value)) => drop(headers.insert(TRACEPARENT, value)),
            _ => drop(headers.remove(TRACEPARENT)),
        }
    }

    /// Ends it with what was answered.
    pub(super) fn end<B>(mut self, route: Option<&str>, response: &Response<B>) {
        let status = response.status();
        if let Some(route) = route {
            self.span.update_name(format!("{} {route}", self.method));
            self.span
                .set_attribute(KeyValue::new("http.route", route.to_owned()));
        }
        self.span.set_attribute(KeyValue::new(
            "http.response.status_code",
            i64::from(status.as_u16()),
        ));
        let id = response
            .headers()
            .get(X_REQUEST_ID)
            .and_then(|id| id.to_str().ok());
        if let Some(id) = id {
            self.span
                .set_attribute(KeyValue::new("gatelog.request_id", id.to_owned()));
        }
        if status.is_server_error() {
            self.span
                .set_attribute(KeyValue::new("error.type", status.as_str().to_owned()));
            self.span.set_status(Status::error(""));
        }
        self.span.end();
    }
}
