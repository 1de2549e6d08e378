//! Whether what was typed is a code of a user: of its authenticator, or one for recovery.

use shared::database::Tx;

use super::recovery_code::RecoveryCode;
use super::refusal::RefusalCause;
use super::{store, totp};
use crate::app::App;
use crate::error::{ApiError, Internal};

/// A code that was right and is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Accepted {
    /// Of the authenticator.
    Totp,
    /// For recovery; so many are left.
    Recovery { codes_left: i64 },
}

/// Verifies a code and uses it up in the caller's transaction, which the caller rolls back if it does not use what the code is for.
pub(crate) async fn verify(
    tx: &mut Tx<'_>,
    app: &App,
    user_id: &str,
    typed: &str,
) -> Result<Result<Accepted, RefusalCause>, ApiError> {
    let Some(factor) = store::find(tx, user_id).await? else {
        return Ok(Err(RefusalCause::Wrong));
    };
    let secret = app.factor_keys.open(user_id, &factor.sealed_secret)?;
    if let Some(step) = totp::step_of(&secret, typed, app.now()).map_err(Internal::from)? {
        let is_first = store::advance(tx, user_id, step).await?;
        return Ok(if is_first {
            Ok(Accepted::Totp)
        } else {
            Err(RefusalCause::Replayed)
        });
    }
    let Some(code) = RecoveryCode::read(typed) else {
        return Ok(Err(RefusalCause::Wrong));
    };
    if !store::use_code(tx, user_id, &app.factor_keys.hash(user_id, &code)).await? {
        return Ok(Err(RefusalCause::Wrong));
    }
    let codes_left = store::codes_left(tx, user_id).await?;
    Ok(Ok(Accepted::Recovery { codes_left }))
}
