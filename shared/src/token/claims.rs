//! The claims of Gatelog's access tokens (RFC 9068 §2.2).

use serde::Serialize;

/// The `typ` in the header of an access token (RFC 9068 §2.1).
pub const TOKEN_TYPE: &str = "at+jwt";

/// What auth-service signs. Times are whole seconds since 1970 (RFC 7519 §2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AccessClaims {
    /// The issuer, from settings.
    pub iss: String,
    /// The user, or the client that acts for itself.
    pub sub: String,
    /// Who may accept it.
    pub aud: Vec<String>,
    /// From when on it is refused.
    pub exp: i64,
    /// When it was minted.
    pub iat: i64,
    /// Its own id.
    pub jti: String,
    /// The client it was minted for.
    pub client_id: String,
    /// The session it belongs to, which is also the family of its refresh tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// The scopes, separated by spaces.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    /// The roles of the subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// The name that the subject signs in with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// When the subject proved who it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<i64>,
    /// How it proved it (RFC 8176).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// How much that is worth (OpenID Connect Core §2, RFC 9470 §6).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
}
