//! Whether a new password may be set: what the rules say of it, and what is known from breaches.

use tokio::task::spawn_blocking;
use url::Url;

use super::{BreachedError, Weakness, rule};
use crate::app::App;
use crate::error::{ApiError, Internal};

/// Accepts or refuses a new password of the user `username`. Without an answer of the disk it is not set.
pub(crate) async fn check(app: &App, password: &str, username: &str) -> Result<(), ApiError> {
    let issuer = Url::parse(&app.mint_rules.issuer).ok();
    let host = issuer.as_ref().and_then(Url::host_str).unwrap_or_default();
    rule::check(password, username, host).map_err(ApiError::PasswordRefused)?;
    let Some(breached) = app.breached.clone() else {
        return Ok(());
    };
    let password = zeroize::Zeroizing::new(password.to_owned());
    let found = spawn_blocking(move || breached.has(&password)).await;
    let has = found
        .unwrap_or(Err(BreachedError::Malformed))
        .map_err(Internal::from)?;
    if has {
        return Err(ApiError::PasswordRefused(Weakness::Breached));
    }
    Ok(())
}
