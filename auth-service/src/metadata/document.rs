//! The metadata document (RFC 8414 §2). Addresses are made from the issuer in settings, never from the request. Pure.

use serde::Serialize;
use url::Url;

use crate::authorize::{PKCE_METHOD, scope};

/// How a client proves who it is, where it must.
const PROOFS: [&str; 3] = ["client_secret_basic", "client_secret_post", "private_key_jwt"];

/// The algorithms of assertions.
const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];

/// What works here, and nothing else.
#[derive(Serialize)]
pub(crate) struct Metadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    revocation_endpoint: String,
    introspection_endpoint: String,
    jwks_uri: String,
    grant_types_supported: Vec<&'static str>,
    response_types_supported: [&'static str; 1],
    response_modes_supported: [&'static str; 1],
    scopes_supported: [&'static str; 3],
    code_challenge_methods_supported: [&'static str; 1],
    authorization_response_iss_parameter_supported: bool,
    ui_locales_supported: [&'static str; 2],
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    token_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
    revocation_endpoint_auth_methods_supported: Vec<&'static str>,
    revocation_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
    introspection_endpoint_auth_methods_supported: [&'static str; 3],
    introspection_endpoint_auth_signing_alg_values_supported: [&'static str; 3],
}

/// The metadata of the authorization server that is `issuer`.
pub(crate) fn document(issuer: &str) -> Metadata<'_> {
    let proofs_or_none = || ["none"].into_iter().chain(PROOFS).collect();
    Metadata {
        issuer,
        authorization_endpoint: format!("{issuer}/oauth/authorize"),
        token_endpoint: format!("{issuer}/oauth/token"),
        revocation_endpoint: format!("{issuer}/oauth/revoke"),
        introspection_endpoint: format!("{issuer}/oauth/introspect"),
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        grant_types_supported: vec!["authorization_code", "refresh_token", "client_credentials"],
        response_types_supported: ["code"],
        response_modes_supported: ["query"],
        scopes_supported: [scope::OPENID, scope::PROFILE, scope::OFFLINE_ACCESS],
        code_challenge_methods_supported: [PKCE_METHOD],
        authorization_response_iss_parameter_supported: true,
        ui_locales_supported: ["en", "ko"],
        token_endpoint_auth_methods_supported: proofs_or_none(),
        token_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        revocation_endpoint_auth_methods_supported: proofs_or_none(),
        revocation_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
        introspection_endpoint_auth_methods_supported: PROOFS,
        introspection_endpoint_auth_signing_alg_values_supported: ALGORITHMS,
    }
}

/// The path of an issuer without its first slash, if it has one.
pub(super) fn path_of(issuer: &str) -> Option<String> {
    let url = Url::parse(issuer).ok()?;
    let path = url.path().strip_prefix('/')?;
    (!path.is_empty()).then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_issuer_with_a_path_has_one() {
        assert_eq!(path_of("https://gate.example"), None);
        assert_eq!(path_of("https://gate.example/auth/a").as_deref(), Some("auth/a"));
    }
}
