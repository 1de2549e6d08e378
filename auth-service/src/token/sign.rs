//! Claims to a compact token (RFC 7515 §3.1), signed with the key that was parsed at start.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use serde_json::json;

use crate::signing_key::SigningKey;

/// A token could not be signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignError {
    #[error("the claims cannot be written: {0}")]
    Claims(#[from] serde_json::Error),
    #[error("the key does not sign")]
    Key,
}

/// The compact token.
pub(crate) fn sign(key: &SigningKey, typ: &str, claims: &impl Serialize) -> Result<String, SignError> {
    let header = json!({ "alg": key.algorithm.as_str(), "kid": key.kid, "typ": typ }).to_string();
    let claims = serde_json::to_vec(claims)?;
    let message = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(claims)
    );
    let signature = key.sign(message.as_bytes()).map_err(|_| SignError::Key)?;
    Ok(format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature)))
}
