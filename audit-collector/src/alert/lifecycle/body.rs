//! What people did with an alert, as readers get it. Pure.

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use uuid::Uuid;

use super::standing::Standing;
use crate::alert::AlertBody;
use crate::response::ResponseBody;

/// An alert with all that people did with it.
#[derive(Clone, Debug, Serialize)]
pub(in crate::alert) struct AlertCase {
    #[serde(flatten)]
    pub(in crate::alert) alert: AlertBody,
    /// The oldest first.
    pub(in crate::alert) notes: Vec<Note>,
    /// Every change, the oldest first.
    pub(in crate::alert) history: Vec<Act>,
    /// What was ordered about it, and what became of that.
    pub(in crate::alert) responses: Vec<ResponseBody>,
}

/// What somebody wrote down. It is not changed afterwards.
#[derive(Clone, Debug, Serialize)]
pub(in crate::alert) struct Note {
    pub(super) id: Uuid,
    pub(super) written_at: UtcMicros,
    pub(super) author: String,
    pub(super) text: String,
}

/// A change that somebody made.
#[derive(Clone, Debug, Serialize)]
pub(in crate::alert) struct Act {
    pub(super) id: Uuid,
    pub(super) at: UtcMicros,
    pub(super) author: String,
    pub(super) before: Standing,
    pub(super) after: Standing,
}

/// A note to be written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewNote {
    pub(super) text: String,
}
