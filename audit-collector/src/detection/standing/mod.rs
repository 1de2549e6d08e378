//! What somebody has decided about a rule over what its file says.

pub(super) mod handler;
pub(super) mod store;

use serde::Serialize;
use shared::clock::UtcMicros;

use super::rule::{Rule, Status};

/// How a rule stands. Nobody has decided anything as long as its revision is 0.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Standing {
    /// Whether it is a shadow; absent is as its file says.
    pub(super) shadow: Option<bool>,
    /// What `If-Match` names, in quotation marks.
    pub(super) revision: i64,
    /// Who decided last.
    pub(super) changed_by: Option<String>,
    /// When.
    pub(super) changed_at: Option<UtcMicros>,
}

impl Standing {
    /// Whether the rule is told.
    pub(super) fn status(&self, rule: &Rule) -> Status {
        match self.shadow {
            None => rule.status,
            Some(true) => Status::Shadow,
            Some(false) => Status::Live,
        }
    }
}
