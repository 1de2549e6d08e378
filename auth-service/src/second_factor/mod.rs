//! Second factors: codes of an authenticator app (TOTP, RFC 6238), and recovery codes for when it is lost.
//!
//! Only who has signed in a moment ago changes a factor (`request/recent_sign_in.rs`). A guess is charged before it is verified, wherever
//! it is made. What is kept is sealed or an HMAC: who reads the database can neither make a code nor use one.

mod guess;
mod handler;
mod keys;
mod manage;
mod recovery_code;
mod refusal;
mod store;
mod totp;
mod verify;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
pub(crate) use guess::Guess;
pub(crate) use keys::FactorKeys;
pub(crate) use manage::forget;
pub(crate) use refusal::{FactorRefusal, RefusalCause};
pub(crate) use store::is_enrolled;
pub(crate) use totp::Unusable;
pub(crate) use verify::{Accepted, verify};

/// `/v1/mfa`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(
            handler::read_totp,
            handler::begin_totp,
            handler::remove_totp
        ))
        .routes(routes!(handler::confirm_totp))
        .routes(routes!(
            handler::read_recovery_codes,
            handler::renew_recovery_codes
        ))
}

/// Deletes enrolments that nobody finished.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_expired(&mut tx, app.now()).await?;
    Ok(app.database.commit(tx).await?)
}
