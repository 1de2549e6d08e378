//! A steady load on the doors, and the ledger of what its clients were told.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fastrand::Rng;
use http::{Method, Request};
use serde_json::Value;
use shared::http::request_id::X_REQUEST_ID;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::Outcome;
use crate::deployment::{Credentials, Deployment};
use crate::http::{Answer, HttpClient};

/// Clients at a time: enough that some go on while others wait for a door that is frozen.
const CLIENTS: u32 = 16;

/// The bytes of an order that is created.
const ORDER_BYTES: usize = 8 * 1024;

/// What the clients of a load were told.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    /// The id of every answered request that must be stored.
    pub answered: Vec<String>,
    /// The `jti` of every token that was handed out, whose event must be stored as well.
    pub minted: Vec<String>,
    /// Requests that no answer came to, of which each may be stored or not.
    pub unknown: u64,
    /// Answers that said that the request cannot be recorded and was not served.
    pub unrecorded: u64,
    /// Answers without the id of their request.
    pub nameless: u64,
}

impl Ledger {
    fn take(&mut self, other: Self) {
        self.answered.extend(other.answered);
        self.minted.extend(other.minted);
        self.unknown += other.unknown;
        self.unrecorded += other.unrecorded;
        self.nameless += other.nameless;
    }

    fn note(&mut self, answer: &Answer) {
        let id = answer.headers.get(X_REQUEST_ID).and_then(|id| id.to_str().ok());
        if answer.status == 503
            && answer
                .text("code")
                .is_some_and(|code| code == "audit_unavailable")
        {
            self.unrecorded += 1;
        } else if let Some(id) = id {
            self.answered.push(id.to_owned());
        } else {
            self.nameless += 1;
        }
    }
}

/// A running load.
#[derive(Debug)]
pub struct Load {
    clients: JoinSet<Ledger>,
    stop: watch::Sender<bool>,
}

impl Load {
    /// Has clients ask the doors in turn, `rate` requests a second in all.
    pub fn start(deployment: &Deployment, rate: u32, seed: u64) -> Outcome<Self> {
        let (stop, stopped) = watch::channel(false);
        let tokens = Arc::new(Mutex::new(Tokens::default()));
        let mut clients = JoinSet::new();
        for number in 0..CLIENTS {
            let client = Client {
                http: HttpClient::new()?,
                doors: deployment.door_urls(),
                credentials: deployment.credentials.clone(),
                tokens: Arc::clone(&tokens),
                rng: Rng::with_seed(seed ^ u64::from(number)),
                ledger: Ledger::default(),
            };
            let every = Duration::from_secs(1) * CLIENTS / rate.max(1);
            clients.spawn(client.run(every, stopped.clone()));
        }
        Ok(Self { clients, stop })
    }

    /// Lets every client end its request, and returns what they were told.
    pub async fn stop(mut self) -> Outcome<Ledger> {
        self.stop.send_replace(true);
        let mut ledger = Ledger::default();
        while let Some(client) = self.clients.join_next().await {
            ledger.take(client?);
        }
        Ok(ledger)
    }
}

/// Tokens that clients share: for the API, and for the log.
#[derive(Debug, Default)]
struct Tokens {
    orders: String,
    gatelog: String,
}

struct Client {
    http: HttpClient,
    doors: Vec<String>,
    credentials: Credentials,
    tokens: Arc<Mutex<Tokens>>,
    rng: Rng,
    ledger: Ledger,
}

/// What a client asks.
#[derive(Clone, Copy)]
enum Question {
    ReadOrder,
    ReadOrderWithoutToken,
    ReadNothing,
    CreateOrder,
    ReadCatalogue,
    Mint(&'static str),
    SearchLog,
}

impl Question {
    /// Mostly what an API is for, and something of all else that a door answers.
    const fn of(percent: u32) -> Self {
        match percent {
            0..50 => Self::ReadOrder,
            50..60 => Self::ReadOrderWithoutToken,
            60..70 => Self::ReadNothing,
            70..78 => Self::CreateOrder,
            78..88 => Self::ReadCatalogue,
            88..92 => Self::Mint("orders"),
            92..94 => Self::Mint("gatelog"),
            _ => Self::SearchLog,
        }
    }
}

impl Client {
    async fn run(mut self, every: Duration, mut stop: watch::Receiver<bool>) -> Ledger {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let first = if self.rng.bool() { "orders" } else { "gatelog" };
        let mut next = Some(Question::Mint(first));
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = stop.wait_for(|stop| *stop) => return self.ledger,
            }
            let question = next.take().unwrap_or(Question::of(self.rng.u32(0..100)));
            let door = self.rng.usize(0..self.doors.len());
            let Ok(request) = self.request(question, door) else {
                continue;
            };
            match self.http.send(request).await {
                Ok(answer) => {
                    self.ledger.note(&answer);
                    if let Question::Mint(audience) = question {
                        self.keep_token(audience, &answer);
                    }
                }
                Err(_) => self.ledger.unknown += 1,
            }
        }
    }

    fn request(&self, question: Question, door: usize) -> Outcome<Request<Body>> {
        let url = self.doors.get(door).ok_or("no such door")?;
        let get = |path: &str, token: &str| {
            let request = Request::get(format!("{url}{path}"));
            let request = request.header("authorization", format!("Bearer {token}"));
            request.body(Body::empty())
        };
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match question {
            Question::ReadOrder => get("/orders/7", &tokens.orders),
            Question::ReadOrderWithoutToken => Request::get(format!("{url}/orders/8")).body(Body::empty()),
            Question::ReadNothing => get("/nothing", &tokens.orders),
            Question::ReadCatalogue => get("/catalogue", &tokens.orders),
            Question::SearchLog => get("/v1/events?limit=1", &tokens.gatelog),
            Question::CreateOrder => Request::builder()
                .method(Method::POST)
                .uri(format!("{url}/orders"))
                .header("authorization", format!("Bearer {}", tokens.orders))
                .body(Body::from(vec![b'o'; ORDER_BYTES])),
            Question::Mint(audience) => return mint(url, &self.credentials, audience),
        }?)
    }

    fn keep_token(&mut self, audience: &str, answer: &Answer) {
        let Some(token) = answer.text("access_token") else {
            return;
        };
        if let Some(jti) = jti(&token) {
            self.ledger.minted.push(jti);
        }
        let mut tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        if audience == "orders" {
            tokens.orders = token;
        } else {
            tokens.gatelog = token;
        }
    }
}

/// Asks a door for a token of the machine's own.
pub fn mint(door: &str, credentials: &Credentials, audience: &str) -> Outcome<Request<Body>> {
    let pair = STANDARD.encode(format!("{}:{}", credentials.id, credentials.secret));
    let form = format!("grant_type=client_credentials&resource={audience}");
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{door}/oauth/token"))
        .header("authorization", format!("Basic {pair}"))
        .header("content-type", "application/x-www-form-urlencoded");
    Ok(request.body(Body::from(form))?)
}

/// The `jti` in a token's claims.
fn jti(token: &str) -> Option<String> {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    let claims: Value = serde_json::from_slice(&claims).ok()?;
    claims.get("jti")?.as_str().map(str::to_owned)
}
