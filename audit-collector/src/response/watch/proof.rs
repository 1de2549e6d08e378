//! Which refusal proves that an order keeps somebody out. Pure.

use crate::response::kept::Kept;
use crate::response::order::Action;

/// What the names of blocks begin with: they are orders of their own.
const BLOCK: &str = "blk_";

/// Whether a refusal that names `decision` is what `kept` led to.
///
/// An order has a name of its own, or auth-service had done before what was ordered. A session that has ended is then proved by any
/// revocation that its tokens are refused by; of a user nothing can be said, who may be refused for many reasons.
pub(super) fn is_proof(kept: &Kept, decision: &str) -> bool {
    match &kept.decision {
        Some(own) => own == decision,
        None => kept.order.action == Action::RevokeSession && !decision.starts_with(BLOCK),
    }
}
