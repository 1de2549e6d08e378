//! A service on a fresh database, a client for its router, and a look into the database.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth_service::settings::{DatabaseUrl, PasswordSettings, Settings};
use auth_service::{Service, new_setup_token};
use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use shared::clock::{ManualClock, UtcMicros};
use shared::http::serve::PeerAddr;
use shared::runtime::common::ProcessSettings;
use shared::runtime::metrics::Metrics;
use shared::transport::{Bus, Transport};
use sqlx::{PgPool, SqlitePool};
use tower::ServiceExt as _;

/// The password of every user in these tests.
pub(crate) const PASSWORD: &str = "correct horse battery staple";

/// What the services share in these tests.
pub(crate) const SERVICE_TOKEN: &str = "service-token-service-token-service-token";

pub(crate) const MASTER_KEY: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// The database behind a service, seen from outside.
#[derive(Clone, Debug)]
pub(crate) enum Outside {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A service that does not run: requests go to its router, and events stay in its outbox.
#[derive(Debug)]
pub(crate) struct Harness {
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) outside: Outside,
    pub(crate) service: Service,
    router: Router,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {}", self.text))
    }

    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn text_of(&self, member: &str) -> String {
        let json = self.json();
        json[member]
            .as_str()
            .unwrap_or_else(|| panic!("{member} in {json}"))
            .to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

pub(crate) fn settings(database_url: DatabaseUrl, clock: &Arc<ManualClock>) -> Settings {
    Settings {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        issuer: "https://gate.example".into(),
        database_url,
        transport: Transport::InProcess(Bus::new()),
        confirmed_dir: None,
        master_key: MASTER_KEY.parse().unwrap(),
        service_token: SERVICE_TOKEN.into(),
        audiences: vec!["orders".into()],
        access_token_seconds: 600,
        keys: auth_service::settings::KeySettings {
            algorithm: shared::token::Algorithm::EdDsa,
            rotation: Some(std::time::Duration::from_hours(24 * 30)),
        },
        passwords: PasswordSettings::default(),
        process: ProcessSettings {
            instance: "test".parse().unwrap(),
            trusted_proxies: vec!["10.0.0.0/8".parse().unwrap()],
            log: "info".parse().unwrap(),
            log_format: "text".parse().unwrap(),
            metrics_listen: None,
            metrics: Metrics::new(),
            traces: shared::http::traces::Traces::default(),
        },
        clock: clock.clone(),
    }
}

impl Harness {
    pub(crate) async fn open(url: DatabaseUrl) -> Self {
        let clock = Arc::new(ManualClock::at(UtcMicros::from_seconds(1_800_000_000)));
        let settings = settings(url, &clock);
        let service = Service::open(&settings).await.unwrap();
        let outside = match &settings.database_url {
            DatabaseUrl::Sqlite(path) => {
                let path: &Path = path;
                let url = format!("sqlite:{}", path.display());
                Outside::Sqlite(SqlitePool::connect(&url).await.unwrap())
            }
            DatabaseUrl::Postgres(options) => {
                Outside::Postgres(PgPool::connect_with((**options).clone()).await.unwrap())
            }
        };
        Self {
            settings,
            clock,
            outside,
            router: service.router(),
            service,
        }
    }

    /// Another replica on the same database and clock.
    pub(crate) async fn beside(&self, settings: &Settings) -> Self {
        let service = Service::open(settings).await.unwrap();
        Self {
            settings: settings.clone(),
            clock: self.clock.clone(),
            outside: self.outside.clone(),
            router: service.router(),
            service,
        }
    }

    /// Another service on the same database, with another issuer.
    pub(crate) async fn with_issuer(&self, issuer: &str) -> Self {
        let settings = Settings {
            issuer: issuer.into(),
            ..self.settings.clone()
        };
        let service = Service::open(&settings).await.unwrap();
        Self {
            settings,
            clock: Arc::clone(&self.clock),
            outside: self.outside.clone(),
            router: service.router(),
            service,
        }
    }

    /// Sends a request from 203.0.113.9.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        self.send_from([203, 0, 113, 9], request).await
    }

    pub(crate) async fn send_from(&self, peer: [u8; 4], mut request: Request<Body>) -> Answer {
        let peer = PeerAddr(SocketAddr::from((peer, 40_000)));
        request.extensions_mut().insert(peer);
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: head.status,
            headers: head.headers,
            text: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(Request::get(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn get_as(&self, path: &str, bearer: &str) -> Answer {
        let request = Request::get(path).header("authorization", format!("Bearer {bearer}"));
        self.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(json_request(path, body)).await
    }

    pub(crate) async fn post_as(&self, path: &str, bearer: &str, body: &Value) -> Answer {
        let mut request = json_request(path, body);
        let value = format!("Bearer {bearer}").parse().unwrap();
        request.headers_mut().insert("authorization", value);
        self.send(request).await
    }

    pub(crate) async fn log_in(&self, username: &str) -> Answer {
        let body = json!({"username": username, "password": PASSWORD});
        let answer = self.post("/v1/login", &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", token)])
            .await
    }

    pub(crate) async fn token_request(&self, parameters: &[(&str, &str)]) -> Answer {
        self.send(token_request(parameters)).await
    }

    /// Makes the administrator `root` and returns an access token of its.
    pub(crate) async fn set_up(&self) -> String {
        let token = self.setup_token().await;
        let body = json!({"token": token, "username": "root", "password": PASSWORD});
        let answer = self.post("/v1/setup", &body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.text);
        self.log_in("root").await.text_of("access_token")
    }

    pub(crate) async fn setup_token(&self) -> String {
        new_setup_token(&self.settings).await.unwrap().unwrap()
    }

    /// Makes a user that can sign in, and returns its id.
    pub(crate) async fn add_user(&self, admin: &str, username: &str, roles: &[&str]) -> String {
        let body = json!({"username": username, "roles": roles});
        let created = self.post_as("/v1/admin/users", admin, &body).await;
        assert_eq!(created.status, StatusCode::CREATED, "{}", created.text);
        let body = json!({"token": created.text_of("password_token"), "password": PASSWORD});
        let set = self.post("/v1/password", &body).await;
        assert_eq!(set.status, StatusCode::NO_CONTENT, "{}", set.text);
        created.text_of("id")
    }

    pub(crate) async fn enforcement_since(&self, cursor: i64) -> Value {
        let path = format!("/v1/enforcement?since={cursor}");
        self.get_as(&path, SERVICE_TOKEN).await.json()
    }

    pub(crate) fn wait(&self, duration: Duration) {
        self.clock.advance(duration);
    }

    /// Changes the database behind the service's back.
    pub(crate) async fn sql(&self, statement: &'static str) {
        match &self.outside {
            Outside::Sqlite(pool) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
            Outside::Postgres(pool) => drop(sqlx::query(statement).execute(pool).await.unwrap()),
        }
    }

    /// The texts that a query of one column returns.
    pub(crate) async fn texts(&self, query: &'static str) -> Vec<String> {
        match &self.outside {
            Outside::Sqlite(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
            Outside::Postgres(pool) => sqlx::query_scalar(query).fetch_all(pool).await.unwrap(),
        }
    }

    pub(crate) async fn number(&self, query: &'static str) -> i64 {
        match &self.outside {
            Outside::Sqlite(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
            Outside::Postgres(pool) => sqlx::query_scalar(query).fetch_one(pool).await.unwrap(),
        }
    }

    /// The facts of every event in the outbox, in the order of their commits.
    pub(crate) async fn events(&self) -> Vec<Value> {
        let facts = self.texts("SELECT facts FROM outbox ORDER BY position").await;
        facts
            .iter()
            .map(|facts| serde_json::from_str(facts).unwrap())
            .collect()
    }

    /// The facts of every event of one action.
    pub(crate) async fn events_of(&self, action: &str) -> Vec<Value> {
        let mut events = self.events().await;
        events.retain(|event| event["action"] == action);
        events
    }

    pub(crate) async fn last_event(&self) -> Value {
        self.events().await.pop().unwrap()
    }
}

pub(crate) fn json_request(path: &str, body: &Value) -> Request<Body> {
    Request::post(path)
        .header("content-type", "application/json")
        .body(Body::from(body.to_string()))
        .unwrap()
}

pub(crate) fn token_request(parameters: &[(&str, &str)]) -> Request<Body> {
    let mut form = url::form_urlencoded::Serializer::new(String::new());
    form.extend_pairs(parameters);
    Request::builder()
        .method(Method::POST)
        .uri("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(form.finish()))
        .unwrap()
}

/// The claims of a token that was not verified.
pub(crate) fn unverified_claims(token: &str) -> Value {
    use base64::Engine as _;
    let claims = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(claims)
        .unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
