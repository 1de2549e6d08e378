//! The policy file as it is written: TOML tables before they are checked.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use super::cors::CorsTable;
use super::timeouts::TimeoutTable;
use super::upstream::UpstreamTable;
use super::{Audit, Revocation, StreamEnd};
use crate::rate_limit::Per;

/// The whole file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyFile {
    /// Whether APIs may stand on the issuer's host, for development.
    #[serde(default)]
    pub(super) same_host: bool,
    /// The audiences for which Gatelog's own issuer mints tokens for the APIs behind the door.
    #[serde(default)]
    pub(super) audience: Vec<String>,
    /// The limits on routes that name none.
    #[serde(default)]
    pub(super) rate: Vec<RateTable>,
    /// How often an address may be refused for want of a good token.
    pub(super) refusal_rate: Option<RefusalTable>,
    /// Issuers beside Gatelog's own.
    #[serde(default)]
    pub(super) issuer: BTreeMap<String, IssuerTable>,
    #[serde(default)]
    pub(super) upstream: BTreeMap<String, UpstreamTable>,
    #[serde(default)]
    pub(super) route: Vec<RouteTable>,
}

/// `[issuer.NAME]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IssuerTable {
    /// The `iss` claim.
    pub(super) url: String,
    /// Where the keys are, unless there is a secret.
    pub(super) jwks: Option<String>,
    /// The file with the secret of an HS256 issuer.
    pub(super) secret_file: Option<PathBuf>,
    /// The audiences of the APIs behind the door.
    #[serde(default)]
    pub(super) audience: Vec<String>,
    pub(super) algs: Option<Vec<String>>,
    pub(super) typ: Option<Vec<String>>,
    /// Seconds that its clock may differ; 5 if not given, 60 at most.
    pub(super) leeway_seconds: Option<u64>,
    /// Seconds for which its keys are used when they cannot be fetched again; a day if not given.
    pub(super) max_stale_seconds: Option<u64>,
    /// What the claims are called, for issuers that know no RFC 9068.
    pub(super) claims: Option<ClaimTable>,
}

/// `claims = { sub = "user_id", roles = "realm_access.roles", scope = "scp", client = "azp" }`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ClaimTable {
    pub(super) sub: String,
    pub(super) roles: Option<String>,
    pub(super) scope: Option<String>,
    pub(super) client: Option<String>,
}

/// `[[route]]`
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteTable {
    pub(super) name: String,
    pub(super) host: Option<String>,
    /// `METHOD /path/{name}`
    pub(super) r#match: String,
    pub(super) allow: String,
    /// The upstream's name; none if the door only decides, for a proxy that serves it.
    pub(super) to: Option<String>,
    pub(super) audit: Option<Audit>,
    pub(super) revocation: Option<Revocation>,
    pub(super) stream: Option<StreamTable>,
    /// The limits on it; an empty list for none.
    pub(super) rate: Option<Vec<RateTable>>,
    #[serde(default)]
    pub(super) forward_token: bool,
    /// Bytes of a request's body at most; `body_max_bytes` of the settings if not given.
    pub(super) body_max_bytes: Option<u64>,
    /// Over those of the upstream.
    pub(super) timeouts: Option<TimeoutTable>,
    #[serde(default)]
    pub(super) websocket: bool,
    pub(super) cors: Option<CorsTable>,
}

/// `{ end_at = "exp" }`
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StreamTable {
    pub(super) end_at: StreamEnd,
}

/// `{ per = "sub", limit = "10/min", burst = 5 }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RateTable {
    pub(super) per: Per,
    pub(super) limit: String,
    pub(super) burst: Option<u32>,
}

/// `refusal_rate = { limit = "300/min" }`
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RefusalTable {
    pub(super) limit: String,
    pub(super) burst: Option<u32>,
}
