//! Devices that a user has signed in on before. They keep their user able to sign in while somebody else tries its name.
//!
//! A token of a device proves nothing but that: it is no factor, and whoever has it still needs the password.

mod store;

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx};

use crate::error::{ApiError, Internal};
use crate::secret::{fresh_token, sha256};

/// How long a device is known.
const LIFETIME: Duration = Duration::from_hours(90 * 24);

/// Devices of a user that are known at most.
const DEVICES_MAX: i64 = 10;

/// What its tokens begin with.
const PREFIX: &str = "dev_";

/// The longest text that could be a token, in bytes.
const TOKEN_BYTES_MAX: usize = 64;

/// Makes the device known that the user has signed in on, and returns its token; `None` if `presented` is one already.
pub(crate) async fn remember(
    tx: &mut Tx<'_>,
    user_id: &str,
    presented: Option<&str>,
    now: UtcMicros,
) -> Result<Option<String>, ApiError> {
    if let Some(token) = presented.filter(|token| is_plausible(token))
        && store::touch(tx, sha256(token), user_id, now).await?
    {
        return Ok(None);
    }
    let token = fresh_token(PREFIX).map_err(Internal::from)?;
    let times = (now, now.plus(LIFETIME));
    store::insert(tx, sha256(&token), user_id, times, DEVICES_MAX).await?;
    Ok(Some(token))
}

/// Whether that is the token of a device of the user.
pub(crate) async fn is_known(
    tx: &mut Tx<'_>,
    token: &str,
    user_id: &str,
    now: UtcMicros,
) -> Result<bool, DatabaseError> {
    if !is_plausible(token) {
        return Ok(false);
    }
    store::exists(tx, sha256(token), user_id, now).await
}

/// Forgets every device of a user.
pub(super) async fn forget(tx: &mut Tx<'_>, user_id: &str) -> Result<(), DatabaseError> {
    store::delete_of(tx, user_id).await
}

/// Forgets the devices whose time is over.
pub(super) async fn purge(tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), DatabaseError> {
    store::delete_expired(tx, now).await
}

fn is_plausible(token: &str) -> bool {
    token.len() <= TOKEN_BYTES_MAX && token.starts_with(PREFIX)
}
