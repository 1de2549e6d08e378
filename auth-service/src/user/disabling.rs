//! Who has disabled a user, and who may enable it again. Pure.

use super::store::ShownUser;
use crate::error::ApiError;

/// Whether a user is disabled, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) disabled: bool,
    /// The client that may enable it, besides administrators.
    pub(super) by: Option<String>,
    /// By what name refusals know it.
    pub(super) decision: Option<String>,
}

/// How a user stands once it is disabled, or enabled, by an administrator or by that `enforcer`; `None` if it stands so already.
///
/// An enforcer enables whom it alone has disabled. Whoever else says as well that a user is to be disabled makes it a matter of
/// administrators: what the first had in mind may end, and what the other had does not.
pub(super) fn step(
    before: &ShownUser,
    disabled: bool,
    enforcer: Option<&str>,
    fresh: String,
) -> Result<Option<Standing>, ApiError> {
    let is_own = before.disabled_by.as_deref() == enforcer;
    Ok(match (before.disabled, disabled) {
        (false, false) => None,
        (false, true) => Some(Standing {
            disabled: true,
            by: enforcer.map(str::to_owned),
            decision: Some(fresh),
        }),
        (true, true) if is_own || before.disabled_by.is_none() => None,
        (true, true) => Some(Standing {
            disabled: true,
            by: None,
            decision: before.disabling.clone(),
        }),
        (true, false) if enforcer.is_none() || is_own => Some(Standing::default()),
        (true, false) => return Err(ApiError::DisabledByAnother),
    })
}
