//! Whom a client asks that has no token: the metadata of a host (RFC 9728), and the challenge that leads there.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderValue, Uri};
use serde::Serialize;
use utoipa::ToSchema;

use crate::gate::{ActivePolicy, Arrival};
use crate::policy::{PROTECTED_RESOURCE_PATH, Route};

/// How long the metadata may be kept, in the words of HTTP: it changes with the policy.
const KEPT: &str = "public, max-age=300";

/// What a client must know to get a token for a host.
#[derive(Serialize, ToSchema)]
#[schema(as = ProtectedResource)]
pub(crate) struct Body<'p> {
    /// The origin of the host.
    resource: String,
    /// Who mints tokens that are accepted there.
    authorization_servers: &'p [String],
    /// How a token is sent.
    bearer_methods_supported: [&'static str; 1],
}

/// Who mints tokens for this host (RFC 9728).
#[utoipa::path(
    get,
    path = "/.well-known/oauth-protected-resource",
    operation_id = "readProtectedResource",
    tag = "caller",
    responses((status = 200, description = "What a client must know to get a token", body = Body<'_>))
)]
pub(crate) fn answer(policy: &ActivePolicy, route: &Route, arrival: &Arrival) -> Response {
    let body = Body {
        resource: origin(policy, route, arrival),
        authorization_servers: &policy.authorization_servers,
        bearer_methods_supported: ["header"],
    };
    ([(CACHE_CONTROL, KEPT)], Json(body)).into_response()
}

/// Where the metadata of a route's host is.
pub(super) fn metadata_address(policy: &ActivePolicy, route: &Route, arrival: &Arrival) -> String {
    format!("{}{PROTECTED_RESOURCE_PATH}", origin(policy, route, arrival))
}

/// Adds to a challenge where its client finds out whom to ask.
pub(super) fn lead_on(headers: &mut HeaderMap, metadata: &str) {
    let Some(challenge) = headers.get_mut(WWW_AUTHENTICATE) else {
        return;
    };
    let led = challenge
        .to_str()
        .map(|challenge| format!("{challenge}, resource_metadata=\"{metadata}\""));
    if let Some(led) = led.ok().and_then(|led| HeaderValue::try_from(led).ok()) {
        *challenge = led;
    }
}

/// The origin of a route's host: as the client asked for it if the policy names it, or else the issuer's, whatever host was asked for.
fn origin(policy: &ActivePolicy, route: &Route, arrival: &Arrival) -> String {
    let asked = arrival.host.as_deref().filter(|_| route.host.is_some());
    if let Some(host) = asked {
        return format!("{}://{}", arrival.scheme, host.to_ascii_lowercase());
    }
    let issuer = policy.authorization_servers.first().map(String::as_str);
    let issuer = issuer.unwrap_or_default();
    let uri = issuer.parse::<Uri>().ok();
    uri.and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?)))
        .unwrap_or_else(|| issuer.to_owned())
}
