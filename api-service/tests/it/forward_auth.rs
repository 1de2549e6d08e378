//! `/-/decide` as a proxy asks it, in the shapes of nginx, Traefik and Envoy.

use axum::body::Body;
use http::{Request, StatusCode};
use shared::enforcement::Target;
use shared::event::{Door, Outcome, action};

use crate::harness::{Answer, Limits, RawAnswer, TestDoor, eventually};

pub(crate) const ROUTES: &str = "[[route]]\nname='orders'\nhost='api.example'\nmatch='GET /orders/{id}'\nallow='scope:orders:read'\n\
    [[route]]\nname='boss'\nhost='api.example'\nmatch='GET /admin/{rest..}'\nallow='role:boss'\n\
    [[route]]\nname='open'\nhost='api.example'\nmatch='GET /public/{rest..}'\nallow='anyone'\n\
    [[route]]\nname='status'\nhost='api.example'\nmatch='GET /status/{code}'\nallow='anyone'\n\
    [[route]]\nname='proxied'\nhost='api.example'\nmatch='GET /proxied'\nallow='signed-in'\nto='named'\n\
    [upstream.named]\nservers=['http://127.0.0.1:1']\nidentity={ 'X-Who' = 'sub' }\n";

/// A door that proxies on this machine may ask.
pub(crate) async fn asked_door() -> TestDoor {
    TestDoor::start_with(ROUTES, Limits::default(), |settings| {
        settings.decide_peers = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await
}

/// What a client might send to be taken for somebody else, or its request for another one.
pub(crate) const FORGED: &str = "X-Original-URI: /public/x\r\nX-Original-Method: GET\r\nX-Forwarded-Uri: /public/x\r\n\
    X-Forwarded-Method: GET\r\nX-Forwarded-Host: other.example\r\nX-Forwarded-For: 10.1.2.3\r\nX-User: evil\r\nX-Roles: boss\r\n";

/// Spellings of a path that is not public.
pub(crate) const DISGUISED: [&str; 4] = [
    "/public/../admin/x",
    "/public/%2e%2e/admin/x",
    "/public%2f..%2fadmin",
    "//admin/x",
];

/// That whoever asks through a proxy is refused as the door says, and that each refusal is recorded. `get` takes a target and headers.
pub(crate) async fn refusals_are_passed_on(door: &TestDoor, get: impl AsyncFn(&str, &str) -> RawAnswer) {
    let bearer = format!("Authorization: Bearer {}\r\n", door.issuer.token());
    for (path, token, status, code) in [
        ("/orders/7", "", "401", "token_missing"),
        ("/admin/x", bearer.as_str(), "403", "insufficient_scope"),
        ("/nowhere", bearer.as_str(), "404", "no_route"),
    ] {
        let refused = get(path, token).await;
        assert_eq!(
            (refused.status.as_str(), &refused.json()["code"]),
            (status, &code.into())
        );
        assert_eq!(refused.header("content-type"), Some("application/problem+json"));
        let request_id = refused.header("x-request-id").unwrap();
        let facts = door.collector.one(request_id, action::API_REQUEST).await.facts;
        assert_eq!(facts.reason.as_deref(), Some(code));
        assert_eq!(facts.http.unwrap().path, path);
    }
}

/// What nginx asks about a `GET` of `target`.
fn question(target: &str) -> http::request::Builder {
    Request::get("/-/decide")
        .header("x-original-method", "GET")
        .header("x-original-uri", target)
        .header("x-forwarded-host", "api.example")
        .header("x-forwarded-for", "198.51.100.7")
}

async fn ask(door: &TestDoor, question: http::request::Builder) -> Answer {
    door.send(question.body(Body::empty()).unwrap()).await
}

async fn ask_with_token(door: &TestDoor, target: &str) -> Answer {
    let bearer = format!("Bearer {}", door.issuer.token());
    ask(door, question(target).header("authorization", bearer)).await
}

/// That the question was refused so, by an answer and by its one event.
async fn refused(door: &TestDoor, answer: &Answer, status: StatusCode, code: &str) {
    assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&answer.body));
    assert_eq!(answer.json()["code"], code);
    assert_eq!(answer.header("x-gatelog-code"), code);
    assert!(!answer.headers.contains_key("x-user"));
    let facts = door.event_of(answer, action::API_REQUEST).await.facts;
    assert_eq!(facts.reason.as_deref(), Some(code));
    assert_eq!(facts.policy.unwrap().door, Door::Decide);
    assert_eq!(facts.http.unwrap().status, Some(status.as_u16()));
}

#[tokio::test]
async fn a_request_that_may_pass_is_answered_with_who_calls_and_recorded_as_it_was_asked_about() {
    let door = asked_door().await;

    let answer = ask_with_token(&door, "/orders/7?page=2").await;

    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.header("x-user"), "usr_1");
    assert_eq!(answer.header("x-username"), "alice");
    assert_eq!(answer.header("x-roles"), "staff");
    assert_eq!(answer.header("cache-control"), "no-store");
    let facts = door.event_of(&answer, action::API_REQUEST).await.facts;
    assert_eq!(facts.outcome, Outcome::Granted);
    assert_eq!(facts.actor.sub.as_deref(), Some("usr_1"));
    let (client, http, policy) = (facts.client.unwrap(), facts.http.unwrap(), facts.policy.unwrap());
    assert_eq!(
        (client.ip.as_deref(), client.peer_ip.as_deref()),
        (Some("198.51.100.7"), Some("127.0.0.1"))
    );
    assert_eq!(
        (http.method.as_str(), http.path.as_str(), http.host.as_deref()),
        ("GET", "/orders/7", Some("api.example"))
    );
    assert_eq!((http.status, http.response_bytes), (Some(200), Some(0)));
    assert_eq!(
        (policy.door, policy.route.as_deref()),
        (Door::Decide, Some("orders"))
    );
    assert_eq!(facts.detail["query"], "page=*");
}

#[tokio::test]
async fn refusals_are_those_of_the_door_with_their_challenges() {
    let door = asked_door().await;

    let missing = ask(&door, question("/orders/7")).await;
    assert_eq!(missing.header("www-authenticate"), r#"Bearer realm="gatelog""#);
    refused(&door, &missing, StatusCode::UNAUTHORIZED, "token_missing").await;
    let forbidden = ask_with_token(&door, "/admin/x").await;
    assert!(
        forbidden
            .header("www-authenticate")
            .contains("insufficient_scope")
    );
    refused(&door, &forbidden, StatusCode::FORBIDDEN, "insufficient_scope").await;
    let unknown = ask_with_token(&door, "/nowhere").await;
    refused(&door, &unknown, StatusCode::NOT_FOUND, "no_route").await;
    for path in [
        "/public/../admin/x",
        "/public/%2e%2e/admin/x",
        "/public%2f..%2fadmin",
        "//admin/x",
        "/public/;/admin",
    ] {
        let tricked = ask_with_token(&door, path).await;
        refused(&door, &tricked, StatusCode::BAD_REQUEST, "path_refused").await;
    }
}

#[tokio::test]
async fn nobody_may_ask_unless_the_settings_say_who() {
    let door = TestDoor::start(ROUTES).await;
    let nobody = ask_with_token(&door, "/orders/7").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
    let facts = door.event_of(&nobody, action::API_REQUEST).await.facts;
    assert_eq!(facts.http.unwrap().path, "/-/decide");

    let others = TestDoor::start_with(ROUTES, Limits::default(), |settings| {
        settings.decide_peers = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let stranger = ask_with_token(&others, "/orders/7").await;

    refused(&others, &stranger, StatusCode::FORBIDDEN, "peer_untrusted").await;
    let facts = others.event_of(&stranger, action::API_REQUEST).await.facts;
    // Nothing that the stranger says is taken for a request, nor its token looked at.
    assert_eq!(
        (facts.actor.sub, facts.http.unwrap().path.as_str()),
        (None, "/-/decide")
    );
}

#[tokio::test]
async fn a_question_that_could_be_the_client_s_is_refused_and_recorded() {
    let door = asked_door().await;
    let bearer = format!("Bearer {}", door.issuer.token());

    for (name, value) in [
        ("x-forwarded-uri", "/public/x"),
        ("x_original_uri", "/public/x"),
        ("x-original-uri", "/public/x"),
        ("x-forwarded-for", "127.0.0.1"),
    ] {
        let question = question("/orders/7")
            .header(name, value)
            .header("authorization", &bearer);
        let answer = ask(&door, question).await;
        refused(&door, &answer, StatusCode::BAD_REQUEST, "question_ambiguous").await;
    }
}

#[tokio::test]
async fn an_identity_header_that_the_proxy_would_not_replace_is_refused() {
    let door = asked_door().await;

    for name in ["X_User", "x.roles"] {
        let answer = ask(&door, question("/public/x").header(name, "evil")).await;
        refused(&door, &answer, StatusCode::BAD_REQUEST, "identity_alias").await;
    }
    // This one it replaces, on routes without a caller too: the answer has it, and empty.
    let answer = ask(&door, question("/public/x").header("X-User", "evil")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.headers.get("x-user").unwrap(), "");
}

#[tokio::test]
async fn the_caller_is_told_in_the_headers_that_the_route_s_upstream_knows() {
    let door = asked_door().await;

    let answer = ask_with_token(&door, "/proxied").await;

    assert_eq!(answer.header("x-who"), "usr_1");
    assert!(!answer.headers.contains_key("x-user"));
}

#[tokio::test]
async fn a_route_that_leads_nowhere_is_not_served_and_gatelog_s_own_are_not_decided_on() {
    let door = asked_door().await;
    let request = Request::get("/orders/7")
        .header("host", "api.example")
        .header("authorization", format!("Bearer {}", door.issuer.token()));

    let served = ask(&door, request).await;

    assert_eq!(
        (served.status, &served.json()["code"]),
        (StatusCode::NOT_FOUND, &"no_route".into())
    );
    // On a host that no route names, `/v1/login` is anyone's at the door: what another proxy serves there is not that.
    let mut login = question("/v1/login");
    let headers = login.headers_mut().unwrap();
    headers.insert("x-original-method", "POST".parse().unwrap());
    headers.insert("x-forwarded-host", "other.example".parse().unwrap());
    let answer = ask(&door, login).await;
    refused(&door, &answer, StatusCode::NOT_FOUND, "no_route").await;
}

#[tokio::test]
async fn a_block_is_of_the_client_and_not_of_the_proxy_that_asks() {
    let door = asked_door().await;
    door.issuer
        .revoke(Target::Address("198.51.100.7/32".parse().unwrap()));

    eventually("the block is in force", async || {
        ask(&door, question("/public/x")).await.status == StatusCode::FORBIDDEN
    })
    .await;

    let blocked = ask(&door, question("/public/x")).await;
    refused(&door, &blocked, StatusCode::FORBIDDEN, "address_blocked").await;
    let mut other = question("/public/x");
    other
        .headers_mut()
        .unwrap()
        .insert("x-forwarded-for", "198.51.100.8".parse().unwrap());
    assert_eq!(ask(&door, other).await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_cannot_be_recorded_does_not_pass() {
    let limits = Limits {
        spool_max_bytes: 4096,
        collects: false,
    };
    let door = TestDoor::start_with(ROUTES, limits, |settings| {
        settings.decide_peers = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;

    eventually("the spool is full", async || {
        ask(&door, question("/public/x")).await.status == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;

    let answer = ask(&door, question("/public/x")).await;
    assert_eq!(answer.json()["code"], "audit_unavailable");
    assert_eq!(answer.header("retry-after"), "5");
    assert!(!answer.headers.contains_key("x-user"));
}

#[tokio::test]
async fn envoy_asks_by_the_path_and_keeps_the_method() {
    let door = asked_door().await;
    let envoy = |method: &str, target: &str| {
        Request::builder()
            .method(method)
            .uri(format!("/-/decide{target}"))
            .header("host", "api.example")
            .header("x-forwarded-for", "198.51.100.7")
            .header("authorization", format!("Bearer {}", door.issuer.token()))
    };

    let granted = ask(&door, envoy("GET", "/orders/7?page=2")).await;

    assert_eq!(
        (granted.status, granted.header("x-user")),
        (StatusCode::OK, "usr_1")
    );
    let http = door
        .event_of(&granted, action::API_REQUEST)
        .await
        .facts
        .http
        .unwrap();
    assert_eq!(http.path, "/orders/7");
    for (method, target) in [("POST", "/orders/7"), ("GET", "/"), ("GET", "/-/decide")] {
        let answer = ask(&door, envoy(method, target)).await;
        refused(&door, &answer, StatusCode::NOT_FOUND, "no_route").await;
    }
    let answer = ask(&door, envoy("GET", "/public/%2e%2e/admin")).await;
    refused(&door, &answer, StatusCode::BAD_REQUEST, "path_refused").await;
}
