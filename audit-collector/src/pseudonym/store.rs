//! What is sealed beside an event.

use shared::database::{DatabaseError, read};
use uuid::Uuid;

use super::Unsealed;
use crate::event_log::{EventLog, Stored};

impl EventLog {
    /// What is known here of what the event `id` said; `None` if there is no such event.
    pub(super) async fn original(&self, id: Uuid) -> Result<Option<Unsealed>, DatabaseError> {
        let select = "SELECT id, body, sealed FROM event WHERE id = $1";
        let stored: Option<Stored> = read!(fetch_optional, self.database(), sqlx::query_as(select).bind(id))?;
        Ok(stored.map(|stored| self.unsealed(&stored)))
    }
}
