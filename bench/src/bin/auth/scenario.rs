//! What is asked of the server.

use std::fmt;

use bench::Outcome;
use bench::http::{Answer, Connection, basic, form, json, request};
use serde_json::{Value, json};

use crate::service::Service;

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

/// What requests are made of.
pub(crate) struct Stage {
    port: u16,
    access_token: String,
    /// The `Authorization` header of a machine's client.
    client: String,
}

/// A connection's requests: the next depends on the last answer where tokens rotate.
pub(crate) struct Asker {
    kind: Scenario,
    request: Vec<u8>,
}

impl bench::load::Asker for Asker {
    async fn ask(&mut self, connection: &mut Connection) -> Outcome<bool> {
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

impl Stage {
    /// Makes an administrator, users and a client.
    pub(crate) async fn prepare(service: &Service) -> Outcome<Self> {
        let port = service.server.port;
        let token = service.command(&["setup-token"])?;
        let mut connection = Connection::open(port).await?;
        let body = json!({"token": token, "username": "root", "password": PASSWORD});
        connection.ask(&json("/v1/setup", "", &body)).await?;
        let access_token = connection.ask(&log_in("root")).await?.text("access_token")?;
        for number in 0..USERS {
            let body = json!({"username": format!("user{number}"), "roles": ["user"]});
            let made = connection
                .ask(&json("/v1/admin/users", &access_token, &body))
                .await?;
            let body = json!({"token": made.text("password_token")?, "password": PASSWORD});
            connection.ask(&json("/v1/password", "", &body)).await?;
        }
        Ok(Self {
            port,
            client: make_client(&mut connection, &access_token).await?,
            access_token,
        })
    }

    /// As many connections, each with what it asks for one user after the other, from the `first_user` on.
    pub(crate) async fn askers(
        &self,
        kind: Scenario,
        first_user: usize,
        connections: usize,
    ) -> Outcome<Vec<(Asker, Connection)>> {
        let mut askers = Vec::new();
        for number in 0..connections {
            let mut connection = Connection::open(self.port).await?;
            let user = format!("user{}", (first_user + number) % USERS);
            let request = self.request(kind, &user, &mut connection).await?;
            askers.push((Asker { kind, request }, connection));
        }
        Ok(askers)
    }

    async fn request(&self, kind: Scenario, user: &str, connection: &mut Connection) -> Outcome<Vec<u8>> {
        Ok(match kind {
            Scenario::Healthz => request("GET", "/healthz", "", ""),
            Scenario::LogIn => log_in(user),
            Scenario::Refresh => refresh(&connection.ask(&log_in(user)).await?)?,
            Scenario::ClientCredentials => form(
                "/oauth/token",
                &self.client,
                &[("grant_type", "client_credentials")],
            ),
            Scenario::Introspect => form(
                "/oauth/introspect",
                &self.client,
                &[("token", &self.access_token)],
            ),
        })
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

/// Registers a client; returns its `Authorization` header.
async fn make_client(connection: &mut Connection, admin: &str) -> Outcome<String> {
    let body: Value = json!({
        "name": "bench",
        "kind": "confidential",
        "grant_types": ["client_credentials"],
        "audiences": ["gatelog"],
        // Whoever asks about tokens needs it.
        "scopes": ["introspect"],
    });
    let client = connection.ask(&json("/v1/admin/clients", admin, &body)).await?;
    let id = client.text("id")?;
    let path = format!("/v1/admin/clients/{id}/secrets");
    let secret = connection
        .ask(&json(&path, admin, &json!({"name": "bench"})))
        .await?;
    Ok(basic(&id, &secret.text("secret")?))
}
