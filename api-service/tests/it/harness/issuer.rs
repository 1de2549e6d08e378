//! A stand-in for auth-service: a key, its JWKS, and an enforcement log.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use axum::extract::State;
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use shared::clock::{Clock as _, SystemClock, UtcMicros};
use shared::enforcement::{Entry, Page, Target};
use tokio::net::TcpListener;

use super::upstream::stalls;

/// An issuer that is served over HTTP.
pub(crate) struct Issuer {
    pub(crate) url: String,
    key: EncodingKey,
    log: Arc<Mutex<Vec<Entry>>>,
    is_silent: Arc<AtomicBool>,
}

/// The claims of a token, to be changed at will.
pub(crate) struct Claims(pub(crate) Value);

impl Claims {
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0[name] = value.into();
        self
    }
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let pair = Ed25519KeyPair::generate().unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let x = base64_url(pair.public_key().as_ref());
        let jwks = json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": x, "kid": "k1", "use": "sig", "alg": "EdDSA"}]});
        let log = Arc::new(Mutex::new(Vec::<Entry>::new()));
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&is_silent);
        let page = async move |State(log): State<Arc<Mutex<Vec<Entry>>>>| {
            if silent.load(Ordering::SeqCst) {
                return Err(StatusCode::SERVICE_UNAVAILABLE);
            }
            let entries = log.lock().unwrap().clone();
            let cursor = entries.last().map_or(0, |entry| entry.cursor);
            Ok(Json(Page {
                entries,
                cursor,
                more: false,
            }))
        };
        let router = Router::new()
            .route("/.well-known/jwks.json", get(|| async { Json(jwks) }))
            .route("/v1/enforcement", get(page))
            // A collector that does not end its tails.
            .route("/v1/events/stream", get(stalls))
            .with_state(Arc::clone(&log));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self {
            url,
            key: EncodingKey::from_ed_der(der.as_ref()),
            log,
            is_silent,
        }
    }

    /// Says nothing of revocations from now on.
    pub(crate) fn fall_silent(&self) {
        self.is_silent.store(true, Ordering::SeqCst);
    }

    /// Claims that are accepted for the audience `orders`, of a minute ago: a door whose clock has stood still while it took its
    /// time to start would refuse what comes from its future.
    pub(crate) fn claims(&self) -> Claims {
        let now = SystemClock.now().as_seconds();
        let (iat, exp) = (now - 60, now + 600);
        Claims(json!({
            "iss": self.url, "sub": "usr_1", "aud": ["orders"], "exp": exp, "iat": iat, "jti": "jti_1",
            "client_id": "app", "sid": "ses_1", "scope": "orders:read", "roles": ["staff"], "username": "alice",
        }))
    }

    pub(crate) fn mint(&self, claims: &Claims) -> String {
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some("at+jwt".into());
        header.kid = Some("k1".into());
        jsonwebtoken::encode(&header, &claims.0, &self.key).unwrap()
    }

    pub(crate) fn token(&self) -> String {
        self.mint(&self.claims())
    }

    /// Revokes from now on.
    pub(crate) fn revoke(&self, target: Target) {
        self.order(target, None);
    }

    /// Refuses from now on, by a decision that has an id.
    pub(crate) fn order(&self, target: Target, decision: Option<&str>) {
        self.order_for(600, target, decision);
    }

    /// Refuses for so many seconds.
    pub(crate) fn order_for(&self, seconds: i64, target: Target, decision: Option<&str>) {
        let mut log = self.log.lock().unwrap();
        let cursor = i64::try_from(log.len()).unwrap() + 1;
        let now = SystemClock.now();
        let expires_at = UtcMicros::from_seconds(now.as_seconds() + seconds);
        log.push(Entry {
            cursor,
            target,
            not_before: now,
            expires_at,
            lifted: false,
            decision: decision.map(str::to_owned),
        });
    }
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
