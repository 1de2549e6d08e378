//! What was ordered ends elsewhere too: administrators lift blocks and enable users. auth-service tells of it. Pure.

use shared::event::{Event, action};

/// Who tells of it.
const AUTH_SERVICE: &str = "auth-service";

/// A decision that is not in force any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// By what name refusals knew it.
    pub(super) decision: String,
    /// Who ended it.
    pub(super) by: String,
}

impl Ended {
    /// What an event tells to have ended; `None` if it tells of nothing like that.
    pub(crate) fn told_by(event: &Event) -> Option<Self> {
        let detail = &event.facts.detail;
        let decision = match event.facts.action.as_str() {
            action::BLOCK_LIFTED => detail.get("block_id"),
            action::USER_ENABLED => detail.get("before").and_then(|before| before.get("decision")),
            _ => None,
        };
        let decision = decision?.as_str()?.to_owned();
        if event.source.service != AUTH_SERVICE {
            return None;
        }
        let actor = &event.facts.actor;
        let by = actor.username.as_ref().or(actor.sub.as_ref());
        Some(Self {
            decision,
            by: by.cloned().unwrap_or_default(),
        })
    }
}
