//! What is sealed beside an event.

use shared::database::{DatabaseError, read};
use uuid::Uuid;

use super::Unsealed;
use crate::event_log::EventLog;

impl EventLog {
    /// What is known here of what the event `id` said; `None` if there is no such event.
    pub(super) async fn original(&self, id: Uuid) -> Result<Option<Unsealed>, DatabaseError> {
        let select = "SELECT body, sealed FROM event WHERE id = $1";
        let row: Option<(Vec<u8>, Option<Vec<u8>>)> =
            read!(fetch_optional, self.database(), sqlx::query_as(select).bind(id))?;
        Ok(row.map(|(body, sealed)| self.unsealed(id, &body, sealed.as_deref())))
    }
}
