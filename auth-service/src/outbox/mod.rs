//! Events on their way out: committed with the change that they report, numbered and published afterwards.
//!
//! The outbox is one source per database, whatever process relays it: `/auth-service/outbox/<boot>`, where the boot is
//! the database's own. It says no `bye`, since it lives as long as the database.

pub(crate) mod command;
mod number;
mod relay;
mod store;

use shared::clock::UtcMicros;
use shared::event::{Draft, Facts, wire};

use crate::error::{ApiError, Internal};
pub(crate) use relay::{RelayState, run};
use shared::database::{DatabaseError, Tx};

/// The instance in the source of every event of an outbox.
const INSTANCE: &str = "outbox";

/// Room for the envelope around the facts.
const ENVELOPE_BYTES_MAX: usize = 4 * 1024;

/// An event that no relay could ever send.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unwritable {
    #[error("an event cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    #[error("an event is too large")]
    TooLarge,
}

/// Adds an event to the transaction of the change that it reports: both become true together, or neither.
pub(crate) async fn append(tx: &mut Tx<'_>, now: UtcMicros, facts: Facts) -> Result<(), ApiError> {
    let draft = Draft::new(now, facts);
    let facts = facts_json(&draft).map_err(Internal::from)?;
    store::insert(tx, (&draft, &facts)).await?;
    Ok(())
}

/// Adds two events of one change, in their order, by one statement.
pub(crate) async fn append_both(
    tx: &mut Tx<'_>,
    now: UtcMicros,
    (first, second): (Facts, Facts),
) -> Result<(), ApiError> {
    let (first, second) = (Draft::new(now, first), Draft::new(now, second));
    let first_facts = facts_json(&first).map_err(Internal::from)?;
    let second_facts = facts_json(&second).map_err(Internal::from)?;
    store::insert_both(tx, (&first, &first_facts), (&second, &second_facts)).await?;
    Ok(())
}

/// Events that wait for the broker's confirm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) count: i64,
    /// When the oldest of them happened.
    pub(crate) oldest: Option<UtcMicros>,
}

/// What waits, for the metrics.
pub(crate) async fn waiting(tx: &mut Tx<'_>) -> Result<Waiting, DatabaseError> {
    store::waiting(tx).await
}

fn facts_json(draft: &Draft) -> Result<String, Unwritable> {
    let json = serde_json::to_string(&draft.facts)?;
    if json.len() > wire::BYTES_MAX - ENVELOPE_BYTES_MAX {
        return Err(Unwritable::TooLarge);
    }
    Ok(json)
}

/// Makes the outbox of a new database.
pub(crate) async fn create(tx: &mut Tx<'_>) -> Result<(), DatabaseError> {
    store::create_head(tx, uuid::Uuid::new_v4()).await
}
