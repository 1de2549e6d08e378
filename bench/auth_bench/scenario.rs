//! What is asked of the server.

use std::fmt;

use serde_json::{Value, json};
use shared::runtime::cli::say;

use crate::Outcome;
use crate::baseline::{MEMORY_KIB, PASSES};
use crate::http::{Answer, Connection, form, json, request};
use crate::server::Server;

/// Users that sign in: one alone would have more sessions than one may have, and each sign-in would end another.
const USERS: usize = 64;

const PASSWORD: &str = "correct horse battery staple";

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scenario {
    /// An answer without work: the baseline of the others.
    Healthz,
    /// Name and password for tokens.
    LogIn,
    /// A refresh token for the next.
    Refresh,
    /// A client's secret for a token.
    ClientCredentials,
    /// Whether a token is good.
    Introspect,
}

impl Scenario {
    pub(crate) const ALL: [Self; 5] = [
        // First, beside the baseline that it is compared with: the machine may have other work.
        Self::LogIn,
        Self::Healthz,
        Self::Refresh,
        Self::ClientCredentials,
        Self::Introspect,
    ];
}

impl fmt::Display for Scenario {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Healthz => "healthz",
            Self::LogIn => "sign-in",
            Self::Refresh => "refresh",
            Self::ClientCredentials => "client_credentials",
            Self::Introspect => "introspection",
        })
    }
}

/// A machine's client.
struct Client {
    /// Its `Authorization` header.
    header: String,
}

/// What requests are made of.
pub(crate) struct Stage {
    access_token: String,
    client: Option<Client>,
}

/// A connection's requests: the next depends on the last answer where tokens rotate.
pub(crate) struct Asker {
    kind: Scenario,
    request: Vec<u8>,
}

impl Asker {
    /// `None` if the server cannot be asked that.
    pub(crate) async fn new(
        stage: &Stage,
        kind: Scenario,
        number: usize,
        connection: &mut Connection,
    ) -> Outcome<Option<Self>> {
        let user = format!("user{}", number % USERS);
        let request = match (kind, &stage.client) {
            (Scenario::Healthz, _) => request("GET", "/healthz", "", ""),
            (Scenario::LogIn, _) => log_in(&user),
            (Scenario::Refresh, _) => refresh(&connection.ask(&log_in(&user)).await?)?,
            (Scenario::ClientCredentials, Some(client)) => form(
                "/oauth/token",
                &client.header,
                &[("grant_type", "client_credentials")],
            ),
            (Scenario::Introspect, Some(client)) => form(
                "/oauth/introspect",
                &client.header,
                &[("token", &stage.access_token)],
            ),
            (Scenario::ClientCredentials | Scenario::Introspect, None) => return Ok(None),
        };
        Ok(Some(Self { kind, request }))
    }

    /// Asks once; whether the server did it rather than told to come back.
    pub(crate) async fn ask(&mut self, connection: &mut Connection) -> Outcome<bool> {
        let answer = connection.ask(&self.request).await?;
        match answer.status {
            200 => {}
            429 | 503 => return Ok(false),
            other => {
                let said = String::from_utf8_lossy(&answer.body);
                return Err(format!("{} was answered with {other}: {said}", self.kind).into());
            }
        }
        if self.kind == Scenario::Refresh {
            self.request = refresh(&answer)?;
        }
        Ok(true)
    }
}

fn log_in(username: &str) -> Vec<u8> {
    json(
        "/v1/login",
        "",
        &json!({"username": username, "password": PASSWORD}),
    )
}

fn refresh(answer: &Answer) -> Outcome<Vec<u8>> {
    let token = answer.text("refresh_token")?;
    let pairs = [("grant_type", "refresh_token"), ("refresh_token", token.as_str())];
    Ok(form("/oauth/token", "", &pairs))
}

/// Makes an administrator and a client.
pub(crate) async fn prepare(server: &Server) -> Outcome<Stage> {
    let token = server.command(&["setup-token"])?;
    let mut connection = Connection::open(server.port).await?;
    let body = json!({"token": token, "username": "root", "password": PASSWORD});
    connection.ask(&json("/v1/setup", "", &body)).await?;
    let access_token = connection.ask(&log_in("root")).await?.text("access_token")?;
    check_parameters()?;
    for number in 0..USERS {
        let body = json!({"username": format!("user{number}"), "roles": ["user"]});
        let made = connection
            .ask(&json("/v1/admin/users", &access_token, &body))
            .await?;
        let body = json!({"token": made.text("password_token")?, "password": PASSWORD});
        connection.ask(&json("/v1/password", "", &body)).await?;
    }
    Ok(Stage {
        client: make_client(&mut connection, &access_token).await?,
        access_token,
    })
}

/// The baseline must do the work that the service does.
fn check_parameters() -> Outcome<()> {
    let phc = include_str!("../../auth-service/src/password/phc.rs").replace('_', "");
    let told = [
        format!("MEMORYKIB: u32 = {MEMORY_KIB};"),
        format!("PASSES: u32 = {PASSES};"),
    ];
    if told.iter().all(|line| phc.contains(line)) {
        return Ok(());
    }
    Err("the baseline's parameters of argon2id are not the service's".into())
}

async fn make_client(connection: &mut Connection, admin: &str) -> Outcome<Option<Client>> {
    let body: Value = json!({
        "name": "bench",
        "kind": "confidential",
        "grant_types": ["client_credentials"],
        "audiences": ["gatelog"],
        "scopes": [],
    });
    let answer = connection.ask(&json("/v1/admin/clients", admin, &body)).await?;
    if answer.status != 201 {
        let said = String::from_utf8_lossy(&answer.body);
        say(&format!("no client could be made: {} {said}\n", answer.status));
        return Ok(None);
    }
    let (id, secret) = (answer.text("id")?, answer.text("secret")?);
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let basic = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", encode(&id), encode(&secret)))
    };
    Ok(Some(Client {
        header: format!("authorization: Basic {basic}\r\n"),
    }))
}
