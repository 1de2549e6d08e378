//! What an event says happened: the `data` of the envelope.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Small facts that only one action has.
pub type Detail = Map<String, Value>;

/// What happened, to whom, how it ended. Everything absent is unknown or does not apply.
///
/// No field holds a token, a password, an `Authorization` or `Cookie` header or an unmasked query value.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Facts {
    /// The kind of event, which also decides how long it is kept.
    pub class: Class,
    /// What was done; see [`super::action`].
    pub action: String,
    /// How it ended.
    pub outcome: Outcome,
    /// A stable code for why it ended so, such as `token_expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who did it.
    #[serde(default)]
    pub actor: Actor,
    /// Whose word it is, if another service's and not the source's own: then all else here is claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reporter: Option<Reporter>,
    /// The token that was presented or minted; never the token itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenFacts>,
    /// Where the request came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<ClientFacts>,
    /// The HTTP request and its answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpFacts>,
    /// What decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<PolicyFacts>,
    /// What ties this to other records of the same request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceFacts>,
    /// Small facts that only this action has.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub detail: Detail,
}

impl Facts {
    /// Facts with nothing known but what was done and how it ended.
    pub fn new(class: Class, action: &str, outcome: Outcome) -> Self {
        Self {
            class,
            action: action.to_owned(),
            outcome,
            reason: None,
            actor: Actor::default(),
            reporter: None,
            token: None,
            client: None,
            http: None,
            policy: None,
            trace: None,
            detail: Detail::new(),
        }
    }

    /// `class.action.outcome`, the key on the topic exchange.
    pub fn routing_key(&self) -> String {
        [self.class.as_str(), &self.action, self.outcome.as_str()].join(".")
    }

    /// The same facts with the reason `code`.
    #[must_use]
    pub fn because(mut self, code: &str) -> Self {
        self.reason = Some(code.to_owned());
        self
    }

    /// The same facts with one more detail.
    #[must_use]
    pub fn with_detail(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.detail.insert(name.to_owned(), value.into());
        self
    }
}

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// A request at a door.
    Access,
    /// Signing in and out, tokens.
    Auth,
    /// A change by an administrator, or a read of the log.
    Admin,
    /// The services themselves.
    System,
    /// Something found in other events.
    Alert,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 5] = [Self::Access, Self::Auth, Self::Admin, Self::System, Self::Alert];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Auth => "auth",
            Self::Admin => "admin",
            Self::System => "system",
            Self::Alert => "alert",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How something ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Access was given.
    Granted,
    /// Access was refused.
    Denied,
    /// It was done.
    Success,
    /// It was not done, by the fault of who asked.
    Failure,
    /// It was not done, or not to the end, by a fault of ours, an upstream or the network.
    Error,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Granted,
        Self::Denied,
        Self::Success,
        Self::Failure,
        Self::Error,
    ];

    /// The word on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Denied => "denied",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// How far the actor is to be believed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// Read from a token that verified, or proven by a password.
    Verified,
    /// Said by someone else: another service's report, a name typed at sign-in, a token that did not verify.
    Claimed,
    /// Nobody is named.
    #[default]
    None,
}

/// Who did it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Actor {
    /// How far the rest is to be believed.
    #[serde(default)]
    pub identity: Identity,
    /// The subject: a user or, for a client acting for itself, the client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sub: Option<String>,
    /// The name that the user signs in with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// The client that the token was minted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// The roles at that time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The session, which is also the family of its refresh tokens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The token's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
}

/// A service that reported what it says happened to it; read from a token that verified.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Reporter {
    /// The issuer of its token.
    pub iss: String,
    /// Its subject.
    pub sub: String,
    /// The client that its token was minted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}

/// A token, without the token.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TokenFacts {
    /// Its issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iss: Option<String>,
    /// The id of the key that signed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The algorithm in its header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Seconds since it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_s: Option<i64>,
}

/// Where a request came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClientFacts {
    /// The client's address, by the word of trusted proxies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// The address of the connection itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_ip: Option<String>,
    /// What it calls itself; at most 512 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}

/// An HTTP request and its answer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpFacts {
    /// The method, at most 32 bytes.
    pub method: String,
    /// The host asked for, at most 255 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The template of the path, such as `/orders/{id}`; absent if no route matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The path as asked for, without the query, at most 1024 bytes.
    pub path: String,
    /// The status answered; absent if none was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// From the request's head to the answer's, in microseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_us: Option<u64>,
    /// Bytes of the request's body that were read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_bytes: Option<u64>,
    /// Bytes of the answer's body; absent until its `api_response_end` if it streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_bytes: Option<u64>,
}

impl HttpFacts {
    /// Bytes of a method at most.
    pub const METHOD_BYTES_MAX: usize = 32;
    /// Bytes of a host at most.
    pub const HOST_BYTES_MAX: usize = 255;
    /// Bytes of a path at most.
    pub const PATH_BYTES_MAX: usize = 1024;
}

impl ClientFacts {
    /// Bytes of what a client calls itself at most.
    pub const USER_AGENT_BYTES_MAX: usize = 512;
}

impl TraceFacts {
    /// The length of a W3C trace context of version 00.
    pub const TRACEPARENT_LENGTH: usize = 55;
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyFacts {
    /// The route's name; absent if none matched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<String>,
    /// The rule that decided, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Which door was asked.
    pub door: Door,
}

/// The ways to ask a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// It forwarded the request itself.
    Proxy,
    /// Another proxy asked it to decide.
    Decide,
    /// It stood within the service that was asked.
    Layer,
}

/// What ties records of one request together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceFacts {
    /// The request's id, also in the answer's `X-Request-Id`.
    pub request_id: String,
    /// W3C trace context, if the request had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
}
