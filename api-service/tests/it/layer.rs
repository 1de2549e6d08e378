//! The gate as a layer: the example of the documentation, and handlers that misbehave.

use std::net::SocketAddr;

use api_service::layer::{self, Caller, GateLayer, GateSettings, GateTasks};
use api_service::policy::{self, Surroundings};
use axum::Router;
use axum::body::Body;
use axum::extract::Request as AxumRequest;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use futures_util::stream;
use http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::json;
use shared::enforcement::Target;
use shared::event::{Door, Event, Outcome, action};
use shared::http::client::{PooledClient, pooled_client};
use shared::http::serve::PeerAddr;
use shared::transport::{Bus, Transport};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tower::{Layer as _, ServiceExt as _};

use crate::harness::{Answer, Collector, DEADLINE, Issuer, Limits, eventually, gate_settings};

#[path = "../../examples/orders.rs"]
#[expect(dead_code, reason = "the test serves by itself what `main` would")]
mod orders;

/// What a gate stands on.
struct Ground {
    issuer: Issuer,
    collector: Collector,
    settings: GateSettings,
    folder: TempDir,
}

impl Ground {
    async fn lay(policy: &str, limits: &Limits) -> Self {
        let issuer = Issuer::start().await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.toml");
        std::fs::write(&file, policy).unwrap();
        let surroundings = Surroundings {
            issuer: issuer.url.clone(),
            auth_url: issuer.url.clone(),
            collector_url: None,
        };
        let policy = policy::load(Some(&file), &surroundings).unwrap();
        let bus = Bus::new();
        let collector = Collector::start(&bus, limits.collects);
        let settings = GateSettings {
            service: "orders-api",
            transport: Transport::InProcess(bus),
            spool_dir: folder.path().join("spool"),
            spool_max_bytes: limits.spool_max_bytes,
            ..gate_settings(&issuer, policy)
        };
        Self {
            issuer,
            collector,
            settings,
            folder,
        }
    }
}

/// The example, as it is.
struct Orders {
    address: SocketAddr,
    issuer: Issuer,
    collector: Collector,
    client: PooledClient,
    stop: oneshot::Sender<()>,
    running: JoinHandle<()>,
    _folder: TempDir,
}

impl Orders {
    async fn start(limits: &Limits) -> Self {
        let ground = Ground::lay(include_str!("../../examples/orders.toml"), limits).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let settings = ground.settings;
        let running = tokio::spawn(async move {
            let stopped = async { drop(stopped.await) };
            orders::serve(settings, listener, stopped).await.unwrap();
        });
        let orders = Self {
            address,
            issuer: ground.issuer,
            collector: ground.collector,
            client: pooled_client().unwrap(),
            stop,
            running,
            _folder: ground.folder,
        };
        let token = orders.issuer.token();
        eventually("tokens are decided on", async || {
            orders.call("GET", "/orders/0", Some(&token), "").await.status != StatusCode::SERVICE_UNAVAILABLE
        })
        .await;
        orders
    }

    async fn call(&self, method: &str, path: &str, token: Option<&str>, body: &'static str) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let response = self.client.request(request.body(Body::from(body)).unwrap()).await;
        let (parts, body) = response.unwrap().into_parts();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    async fn event_of(&self, answer: &Answer) -> Event {
        let request_id = answer.header("x-request-id").to_owned();
        self.collector.one(&request_id, action::API_REQUEST).await
    }
}

#[tokio::test]
async fn a_service_of_one_s_own_lets_in_and_records_what_its_policy_says() {
    let orders = Orders::start(&Limits::default()).await;
    let token = orders.issuer.token();
    let finance = orders.issuer.claims().with("scope", "orders:write");
    let finance = orders.issuer.mint(&finance.with("roles", json!(["finance"])));

    let read = orders.call("GET", "/orders/7?x=1", Some(&token), "").await;
    let refund = orders
        .call("POST", "/orders/7/refund", Some(&finance), r#"{"amount":5}"#)
        .await;

    assert_eq!(read.json(), json!({ "order": "7", "read_by": "usr_1" }));
    assert_eq!(
        refund.json(),
        json!({ "order": "7", "refunded": 5, "by": "alice" })
    );
    let event = orders.event_of(&read).await;
    assert_eq!(event.source.service, "orders-api");
    let (http, policy) = (event.facts.http.unwrap(), event.facts.policy.unwrap());
    assert_eq!(event.facts.outcome, Outcome::Granted);
    assert_eq!(event.facts.actor.sub.as_deref(), Some("usr_1"));
    assert_eq!(
        (http.path.as_str(), http.route.as_deref()),
        ("/orders/7", Some("/orders/{id}"))
    );
    assert_eq!(http.response_bytes, Some(read.body.len() as u64));
    assert_eq!(
        (policy.route.as_deref(), policy.door),
        (Some("order-read"), Door::Layer)
    );
    let http = orders.event_of(&refund).await.facts.http.unwrap();
    assert_eq!(http.request_bytes, Some(12));
}

#[tokio::test]
async fn what_the_policy_does_not_let_in_reaches_no_handler() {
    let orders = Orders::start(&Limits::default()).await;
    let token = orders.issuer.token();

    for (method, path, token, status, code) in [
        ("GET", "/orders/7", None, 401, "token_missing"),
        (
            "POST",
            "/orders/7/refund",
            Some(&*token),
            403,
            "insufficient_scope",
        ),
        ("GET", "/nowhere", Some(&*token), 404, "no_route"),
        ("GET", "/v1/login", Some(&*token), 404, "no_route"),
        ("GET", "/orders/a%2fb", Some(&*token), 400, "path_refused"),
    ] {
        let answer = orders.call(method, path, token, "{}").await;
        assert_eq!(
            (answer.status.as_u16(), &answer.json()["code"]),
            (status, &code.into())
        );
        let facts = orders.event_of(&answer).await.facts;
        assert_eq!(
            (facts.outcome, facts.reason.as_deref()),
            (Outcome::Denied, Some(code))
        );
    }
    // Another spelling is routed as it was decided on.
    let respelled = orders.call("GET", "/%6frders/%37", Some(&token), "").await;
    assert_eq!(respelled.json()["order"], "7");
    let health = orders.call("GET", "/healthz", None, "").await;
    assert_eq!(health.body, b"up");
}

#[tokio::test]
async fn a_revocation_is_in_force_in_a_service_of_one_s_own() {
    let orders = Orders::start(&Limits::default()).await;
    let token = orders.issuer.token();

    orders.issuer.revoke(Target::Sid("ses_1".into()));

    eventually("the session is refused", async || {
        let answer = orders.call("GET", "/orders/7", Some(&token), "").await;
        answer.status == StatusCode::UNAUTHORIZED
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_served() {
    let limits = Limits {
        spool_max_bytes: 8 * 1024,
        collects: false,
    };
    let orders = Orders::start(&limits).await;
    let token = orders.issuer.token();

    eventually("the spool is full", async || {
        let answer = orders.call("GET", "/orders/7", Some(&token), "").await;
        answer.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    let answer = orders.call("GET", "/orders/7", Some(&token), "").await;
    assert_eq!(answer.json()["code"], "audit_unavailable");
}

#[tokio::test]
async fn a_service_that_stops_says_so_after_its_last_event() {
    let orders = Orders::start(&Limits::default()).await;
    let answer = orders.call("GET", "/orders/7", None, "").await;

    orders.stop.send(()).unwrap();
    drop(orders.client);
    orders.running.await.unwrap();

    let events = orders.collector.all();
    assert_eq!(events.last().unwrap().facts.action, action::BYE);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    let row: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, row);
    let request_id = answer.header("x-request-id");
    assert!(events.iter().any(|event| {
        let trace = event.facts.trace.as_ref();
        trace.is_some_and(|trace| trace.request_id == request_id)
    }));
}

/// A gate before handlers that misbehave, called without a socket.
struct Odd {
    gate: GateLayer,
    tasks: GateTasks,
    collector: Collector,
    _folder: TempDir,
}

const ODD: &str = "[[route]]\nname='odd'\nmatch='GET /{rest..}'\nallow='anyone'\n";

impl Odd {
    async fn start() -> Self {
        let ground = Ground::lay(ODD, &Limits::default()).await;
        let (gate, tasks) = layer::start(ground.settings).await.unwrap();
        Self {
            gate,
            tasks,
            collector: ground.collector,
            _folder: ground.folder,
        }
    }

    fn request(path: &str) -> AxumRequest {
        let peer = PeerAddr("192.0.2.1:5000".parse().unwrap());
        Request::get(path).extension(peer).body(Body::empty()).unwrap()
    }

    async fn call(&self, router: Router, path: &str) -> Response {
        self.gate
            .layer(router)
            .oneshot(Self::request(path))
            .await
            .unwrap()
    }

    async fn first(&self, action: &str) -> Event {
        self.collector
            .first(action, |event| event.facts.action == action)
            .await
    }
}

#[tokio::test]
async fn a_handler_that_panics_is_an_answer_and_an_event() {
    let odd = Odd::start().await;
    let router = Router::new().route("/", get(async || panic!("on purpose") as &'static str));

    let response = odd.call(router, "/").await;

    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let facts = odd.first(action::API_REQUEST).await.facts;
    assert_eq!(
        (facts.outcome, facts.reason.as_deref()),
        (Outcome::Error, Some("handler_panicked"))
    );
    assert_eq!(facts.http.unwrap().status, Some(500));
    odd.tasks.close().await;
}

#[tokio::test]
async fn a_client_that_goes_away_before_its_answer_is_recorded() {
    let odd = Odd::start().await;
    let (begun, begins) = oneshot::channel::<()>();
    let begun = std::sync::Arc::new(std::sync::Mutex::new(Some(begun)));
    let never = move || {
        let begun = begun.lock().unwrap().take();
        async move {
            if let Some(begun) = begun {
                begun.send(()).unwrap();
            }
            std::future::pending::<()>().await;
        }
    };
    let router = Router::new().route("/", get(never));
    let answering = tokio::spawn(odd.gate.layer(router).oneshot(Odd::request("/")));
    begins.await.unwrap();

    answering.abort();

    let facts = odd.first(action::API_REQUEST).await.facts;
    assert_eq!(
        (facts.outcome, facts.reason.as_deref()),
        (Outcome::Error, Some("client_gone"))
    );
}

#[tokio::test]
async fn a_streamed_answer_is_recorded_at_its_head_and_at_its_end() {
    let odd = Odd::start().await;
    let chunks = || stream::iter((0..3).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(b"chunk"))));
    let router = Router::new().route("/", get(async move || Body::from_stream(chunks())));

    let response = odd.call(router, "/").await;
    let http = odd.first(action::API_REQUEST).await.facts.http.unwrap();
    assert_eq!(http.response_bytes, None);
    let body = response.into_body().collect().await.unwrap().to_bytes();

    assert_eq!(body.len(), 15);
    let http = odd.first(action::API_RESPONSE_END).await.facts.http.unwrap();
    assert_eq!(http.response_bytes, Some(15));
}

#[tokio::test]
async fn a_streamed_answer_ends_when_its_caller_s_session_is_revoked() {
    let policy = "audience=['orders']\n[[route]]\nname='feed'\nmatch='GET /'\nallow='signed-in'\n";
    let ground = Ground::lay(policy, &Limits::default()).await;
    let (gate, tasks) = layer::start(ground.settings).await.unwrap();
    let feed = || Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let service = gate.layer(Router::new().route("/", get(async move || feed())));
    let bearer = format!("Bearer {}", ground.issuer.token());
    let call = async || {
        let mut request = Odd::request("/");
        let headers = request.headers_mut();
        headers.insert("authorization", bearer.parse().unwrap());
        service.clone().oneshot(request).await.unwrap()
    };
    eventually("tokens are decided on", async || {
        call().await.status() == StatusCode::OK
    })
    .await;
    let response = call().await;

    ground.issuer.revoke(Target::Sid("ses_1".into()));

    let ended = tokio::time::timeout(DEADLINE, response.into_body().collect()).await;
    assert!(ended.expect("it goes on").is_err());
    let is_withdrawn = |event: &Event| event.facts.reason.as_deref() == Some("token_revoked");
    let end = ground.collector.first("the end", is_withdrawn).await;
    assert_eq!(
        (end.facts.action.as_str(), end.facts.outcome),
        (action::API_RESPONSE_END, Outcome::Denied)
    );
    tasks.close().await;
}

#[tokio::test]
async fn inside_a_router_a_path_in_another_spelling_is_refused() {
    let odd = Odd::start().await;
    let router = Router::new()
        .route("/{name}", get(async || "named"))
        .layer(odd.gate.clone());

    let plain = router.clone().oneshot(Odd::request("/public")).await.unwrap();
    let respelled = router.oneshot(Odd::request("/%70ublic")).await.unwrap();

    assert_eq!(plain.status(), StatusCode::OK);
    assert_eq!(respelled.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_handler_without_a_caller_is_told_so_and_a_gate_without_an_address_refuses() {
    let odd = Odd::start().await;
    let who = async |caller: Option<Caller>| caller.map_or("nobody".to_owned(), |caller| caller.sub.clone());
    let router = Router::new()
        .route("/optional", get(who))
        .route("/needed", get(async |caller: Caller| caller.sub.clone()));

    let optional = odd.call(router.clone(), "/optional").await;
    let body = optional.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&body[..], b"nobody");
    assert_eq!(
        odd.call(router.clone(), "/needed").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let ungated = router.clone().oneshot(Odd::request("/optional")).await.unwrap();
    assert_eq!(ungated.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let unaddressed = Request::get("/optional").body(Body::empty()).unwrap();
    let response = odd.gate.layer(router).oneshot(unaddressed).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}
