//! Traces of the services at a receiver that speaks OTLP over HTTP.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::gatelog::Gatelog;
use crate::pipeline::eventually;
use crate::system::curl;
use crate::tour::pasted;

/// What came, as it was sent.
type Bodies = Arc<Mutex<Vec<Bytes>>>;

/// A receiver on a thread of its own.
struct Receiver {
    url: String,
    bodies: Bodies,
}

impl Receiver {
    fn start() -> Self {
        let (bodies, listener) = (Bodies::default(), TcpListener::bind("127.0.0.1:0").unwrap());
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keep = async |State(bodies): State<Bodies>, body: Bytes| bodies.lock().unwrap().push(body);
        let router = Router::new()
            .route("/v1/traces", post(keep))
            .with_state(Arc::clone(&bodies));
        listener.set_nonblocking(true).unwrap();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                axum::serve(listener, router).await.unwrap();
            });
        });
        Self { url, bodies }
    }

    /// Every span that came, with the name of the service that sent it.
    fn spans(&self) -> Vec<(String, Span)> {
        let mut spans = Vec::new();
        for body in self.bodies.lock().unwrap().iter() {
            let request = ExportTraceServiceRequest::decode(body.clone()).unwrap();
            for sent in request.resource_spans {
                let resource = attributes(&sent.resource.unwrap().attributes);
                for span in sent.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    spans.push((resource["service.name"].clone(), span));
                }
            }
        }
        spans
    }

    /// Waits for spans of that name, and returns them in the order of their beginning.
    fn named(&self, name: &str, count: usize) -> Vec<Span> {
        eventually(&format!("{count} spans {name}"), || {
            let mut spans: Vec<_> = self.spans().into_iter().map(|(_, span)| span).collect();
            spans.retain(|span| span.name == name);
            spans.sort_by_key(|span| span.start_time_unix_nano);
            (spans.len() >= count).then_some(spans)
        })
    }
}

fn attributes(pairs: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| match pair.value.as_ref().and_then(|value| value.value.as_ref()) {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    pairs.iter().map(|pair| (pair.key.clone(), text(pair))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<Vec<_>>()
        .concat()
}

const QUICKLY: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

#[test]
fn a_request_is_one_trace_through_the_services_and_its_event_names_the_door_s_span() {
    let receiver = Receiver::start();
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url.as_str());
    let mut gatelog = Gatelog::start_with(&[endpoint, QUICKLY, ("OTEL_SERVICE_NAME", "front")]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();

    let [_, _, _, events] = pasted(&tour).try_into().unwrap();

    let [login, below] = receiver.named("POST /v1/login", 2).try_into().unwrap();
    assert_eq!(
        (&login.trace_id, &login.span_id),
        (&below.trace_id, &below.parent_span_id)
    );
    let me = receiver.named("GET /api/me", 2);
    for (span, (event, status)) in me.iter().zip([(1, "200"), (0, "401")]) {
        let event = &events["events"][event];
        let expected = format!("00-{}-{}-01", hex(&span.trace_id), hex(&span.span_id));
        assert_eq!(event["trace"]["traceparent"], expected.as_str());
        let told = attributes(&span.attributes);
        assert_eq!(
            told["gatelog.request_id"],
            event["trace"]["request_id"].as_str().unwrap()
        );
        assert_eq!(
            (
                told["http.route"].as_str(),
                told["http.response.status_code"].as_str()
            ),
            ("/api/me", status)
        );
    }
    assert!(receiver.spans().iter().all(|(service, _)| service == "front"));
    assert_eq!(gatelog.terminate().0, Some(0));
}

#[test]
fn the_caller_s_trace_goes_on_and_neither_query_nor_token_is_sent() {
    let receiver = Receiver::start();
    let endpoint = (
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        format!("{}/v1/traces", receiver.url),
    );
    let mut gatelog = Gatelog::start_with(&[(endpoint.0, &endpoint.1), QUICKLY]);
    let printed = gatelog.printed_until("Ctrl-C").to_owned();
    let url = printed
        .split_once("running at ")
        .unwrap()
        .1
        .split_whitespace()
        .next()
        .unwrap();
    let (trace, parent) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

    curl(&[
        "-H",
        &format!("traceparent: 00-{trace}-{parent}-01"),
        "-H",
        "authorization: Bearer s3cret-token",
        &format!("{url}/api/me?key=s3cret-query"),
    ]);

    let [span] = receiver.named("GET /api/me", 1).try_into().unwrap();
    assert_eq!(
        (hex(&span.trace_id).as_str(), hex(&span.parent_span_id).as_str()),
        (trace, parent)
    );
    assert_eq!(attributes(&span.attributes)["url.path"], "/api/me");
    assert!(receiver.spans().iter().all(|(service, _)| service == "gatelog"));
    let sent = receiver.bodies.lock().unwrap().concat();
    let is_told = |secret: &str| sent.windows(secret.len()).any(|part| part == secret.as_bytes());
    assert!(is_told("/api/me") && !is_told("s3cret"));
}

#[test]
fn a_receiver_that_is_away_costs_spans_and_no_request() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let endpoint = format!("http://{closed}");
    let mut gatelog = Gatelog::start_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), QUICKLY]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();

    let answers = pasted(&tour);

    assert_eq!(answers.len(), 4);
    eventually("the failure is told", || {
        gatelog
            .log()
            .contains("traces cannot be sent and are dropped")
            .then_some(())
    });
    assert_eq!(gatelog.terminate().0, Some(0));
}

#[test]
fn a_receiver_that_never_answers_holds_up_no_request_and_no_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut gatelog = Gatelog::start_with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &endpoint), QUICKLY]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();

    let answers = pasted(&tour);

    assert_eq!(answers.len(), 4);
    assert_eq!(gatelog.terminate().0, Some(0));
}
