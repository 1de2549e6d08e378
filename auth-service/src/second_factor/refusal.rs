//! Why a second factor was not taken or not changed. Pure.

/// What the client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FactorRefusal {
    /// Wrong, used before, or a recovery code that is none: which of it is nobody's business.
    #[error("the code is wrong or was used before")]
    CodeRefused,
    #[error("the ticket is unknown, expired or used: sign in again")]
    TicketRefused,
    #[error("there is a second factor already; remove it first")]
    Enrolled,
    #[error("there is no second factor")]
    NotEnrolled,
    #[error("there is no enrolment to confirm, or not any more: begin again")]
    EnrolmentOver,
}

/// Why a code was refused, for events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RefusalCause {
    /// It is no code of the user.
    Wrong,
    /// It is one of a time step whose code was taken already: somebody has seen it.
    Replayed,
}

impl RefusalCause {
    /// The stable word in events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Wrong => "code_wrong",
            Self::Replayed => "code_replayed",
        }
    }
}
