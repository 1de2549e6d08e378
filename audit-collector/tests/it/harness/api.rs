//! The HTTP side of a collector, without a listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use audit_collector::app::{AppState, router};
use audit_collector::detection::rule::RuleSet;
use audit_collector::detection::{Backtests, DetectionSettings};
use audit_collector::event_log::EventLog;
use audit_collector::export::Exports;
use audit_collector::notification::Receiver;
use audit_collector::response::{Responding, Spared};
use audit_collector::retention::Periods;
use audit_collector::tail::Tails;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http_body_util::BodyExt as _;
use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use shared::clock::{Clock as _, ManualClock};
use shared::enforcement::{Entry, Page, Target};
use shared::event::{Event, action, wire};
use shared::guard::Guard;
use shared::http::metrics::Answers;
use shared::http::serve::PeerAddr;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::token::{AccessClaims, IssuerRules, KeySet, Trust, TrustedIssuer};
use shared::transport::{Bus, Consumer, Transport};
use tempfile::TempDir;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::detecting::notifying;
use super::events::NOW;

const ISSUER: &str = "http://gatelog.test";

/// How many may follow the log at a time.
const TAILS: usize = 2;

/// How many may export at a time.
const EXPORTS: usize = 1;

/// More than any test writes.
const SPOOL_BYTES: u64 = 1_000_000;

pub(crate) struct TestApi {
    router: Router,
    pub(crate) guard: Arc<Guard>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) consuming: watch::Sender<bool>,
    pub(crate) stopping: CancellationToken,
    key: EncodingKey,
    recorded: Consumer,
    _spool: (TempDir, SpoolTasks),
}

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) bytes: Bytes,
}

impl TestApi {
    pub(crate) fn on(log: EventLog) -> Self {
        Self::with_spool(log, SPOOL_BYTES)
    }

    /// With a spool that takes so many bytes.
    pub(crate) fn with_spool(log: EventLog, bytes_max: u64) -> Self {
        Self::with(log, bytes_max, Vec::new())
    }

    /// With these receivers of notifications.
    pub(crate) fn with_receivers(log: EventLog, receivers: Vec<Receiver>) -> Self {
        Self::with(log, SPOOL_BYTES, receivers)
    }

    fn with(log: EventLog, bytes_max: u64, receivers: Vec<Receiver>) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let (key, keys) = key_pair();
        let guard = Arc::new(Guard::new(trust(), clock.clone()));
        guard.set_keys(ISSUER, keys);
        guard.hear(&nothing_revoked(), NOW);
        let transport = Transport::InProcess(Bus::new());
        let folder = TempDir::new().unwrap();
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max,
        };
        let (spool, tasks) = spool::open(&settings, &transport, clock.clone()).unwrap();
        let consuming = watch::Sender::new(true);
        let stopping = CancellationToken::new();
        let app = AppState {
            answers: Metrics::new().register("test", Answers::register),
            log,
            guard: Arc::clone(&guard),
            spool,
            rules: watch::Sender::new(rules()).subscribe(),
            responding: Some(responding()),
            notifying: notifying(receivers, clock.clone()),
            trusted_proxies: Arc::from([]),
            consuming: consuming.subscribe(),
            tails: Tails::new(TAILS, stopping.clone()),
            exports: Exports::new(EXPORTS),
            backtests: Backtests::default(),
            periods: Periods::default(),
            gap_after: Duration::from_mins(2),
            clock: clock.clone(),
        };
        Self {
            router: router(app),
            guard,
            clock,
            consuming,
            stopping,
            key,
            recorded: transport.consumer(100),
            _spool: (folder, tasks),
        }
    }

    /// A token for `scope` that is good.
    pub(crate) fn token(&self, scope: &str) -> String {
        self.token_with(scope, "gatelog")
    }

    /// A token for `scope` and `audience`, signed by the issuer's key.
    pub(crate) fn token_with(&self, scope: &str, audience: &str) -> String {
        self.token_of("usr_auditor", scope, audience)
    }

    /// The same for another person.
    pub(crate) fn token_of(&self, sub: &str, scope: &str, audience: &str) -> String {
        let now = self.clock.now().as_seconds();
        let claims = AccessClaims {
            iss: ISSUER.into(),
            sub: sub.into(),
            aud: vec![audience.into()],
            exp: now + 600,
            iat: now,
            jti: "jti_auditor".into(),
            client_id: "gatelog".into(),
            sid: Some("ses_auditor".into()),
            scope: scope.into(),
            roles: Vec::new(),
            username: Some("auditor".into()),
            auth_time: None,
            amr: Vec::new(),
            acr: None,
        };
        let mut header = Header::new(jsonwebtoken::Algorithm::EdDSA);
        header.typ = Some("at+jwt".into());
        header.kid = Some("k1".into());
        jsonwebtoken::encode(&header, &claims, &self.key).unwrap()
    }

    /// `GET` with a good token.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.get_as(path, Some(&self.token("audit:read"))).await
    }

    pub(crate) async fn get_as(&self, path: &str, token: Option<&str>) -> Answer {
        let mut request = Request::get(path).header("user-agent", "curl/8");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// A JSON body by `method` with a token for `scope`; `if_match` is a revision.
    pub(crate) async fn act(
        &self,
        (method, path): (&str, &str),
        scope: &str,
        if_match: Option<i64>,
        body: &Value,
    ) -> Answer {
        let token = self.token(scope);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"));
        if let Some(revision) = if_match {
            request = request.header("if-match", format!("\"{revision}\""));
        }
        self.send(request.body(Body::from(body.to_string())).unwrap())
            .await
    }

    /// The head of the answer, and its body as it comes.
    pub(crate) async fn begin(&self, mut request: Request<Body>) -> Response {
        let peer: SocketAddr = "203.0.113.5:4711".parse().unwrap();
        request.extensions_mut().insert(PeerAddr(peer));
        self.router.clone().oneshot(request).await.unwrap()
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.begin(request).await;
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body: serde_json::from_slice(&bytes).unwrap_or(Value::Null),
            bytes,
        }
    }

    /// Revokes every token of the session.
    pub(crate) fn revoke_session(&self) {
        let entry = Entry {
            cursor: 1,
            target: Target::Sid("ses_auditor".into()),
            not_before: NOW,
            expires_at: NOW.plus(Duration::from_hours(1)),
            lifted: false,
            decision: None,
        };
        let page = Page {
            entries: vec![entry],
            cursor: 1,
            more: false,
        };
        self.guard.hear(&page, self.guard.clock().now());
    }

    /// The next read that was recorded.
    pub(crate) async fn recorded_read(&mut self) -> Event {
        self.recorded_event(|event| event.facts.action == action::SENSITIVE_READ)
            .await
    }

    /// The next event of the API that was recorded and is so.
    pub(crate) async fn recorded_event(&mut self, is: impl Fn(&Event) -> bool) -> Event {
        loop {
            let receiving = self.recorded.receive(1, Duration::ZERO);
            let received = tokio::time::timeout(Duration::from_secs(10), receiving).await;
            let delivery = received.expect("nothing was recorded").unwrap().remove(0);
            let event = wire::decode(&delivery.body).unwrap();
            self.recorded.acknowledge(vec![delivery.receipt]).await.unwrap();
            let is_of_the_spool = [action::BOOT, action::HEARTBEAT].contains(&event.facts.action.as_str());
            if !is_of_the_spool && is(&event) {
                return event;
            }
        }
    }
}

fn trust() -> Trust {
    Trust::new(vec![TrustedIssuer::without_keys(IssuerRules::gatelog(
        ISSUER,
        Vec::new(),
    ))])
}

fn nothing_revoked() -> Page {
    Page {
        entries: Vec::new(),
        cursor: 0,
        more: false,
    }
}

fn key_pair() -> (EncodingKey, KeySet) {
    let pair = Ed25519KeyPair::generate().unwrap();
    let private: Pkcs8V1Der<'_> = pair.as_der().unwrap();
    let x = URL_SAFE_NO_PAD.encode(pair.public_key());
    let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "kid": "k1", "use": "sig", "x": x}]});
    let keys = KeySet::from_jwks(jwks.to_string().as_bytes()).unwrap();
    (EncodingKey::from_ed_der(private.as_ref()), keys)
}

/// Orders can be given, and are carried out by nobody.
fn responding() -> Responding {
    let spared = ["198.51.100.7", "usr_root"].map(|text| text.parse().unwrap());
    Responding {
        spared: Arc::new(Spared::new(spared, &[])),
        ordered: Arc::default(),
    }
}

fn rules() -> RuleSet {
    DetectionSettings::load(ISSUER, None, None).unwrap().rules
}
