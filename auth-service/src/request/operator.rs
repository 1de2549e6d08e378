//! Who performs an administrative act: somebody with a token, or whoever runs the command line.

use shared::event::{Actor, Class, Facts, Identity, Outcome};

use super::{Caller, RequestContext};

/// Whom the events of an administrative act name.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    context: RequestContext,
    actor: Actor,
}

impl Operator {
    /// The one whose token came with the request.
    pub(crate) fn of(context: RequestContext, caller: &Caller) -> Self {
        Self {
            context,
            actor: caller.actor(),
        }
    }

    /// Whoever runs a command on the database: that it may do so was decided by the machine, not by us.
    #[expect(dead_code, reason = "for the commands that administer")]
    pub(crate) fn command_line() -> Self {
        Self {
            context: RequestContext::without_request(),
            actor: Actor {
                identity: Identity::Claimed,
                username: Some("command_line".to_owned()),
                ..Actor::default()
            },
        }
    }

    /// Facts of something that it did.
    pub(crate) fn facts(&self, class: Class, action: &str, outcome: Outcome) -> Facts {
        self.context.facts(class, action, outcome, self.actor.clone())
    }
}
