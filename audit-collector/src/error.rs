//! Every error of the API, and the one place that chooses its status and code.

use axum::http::StatusCode;
use shared::database::DatabaseError;
use shared::http::bearer;
use shared::http::json::JsonFault;
use shared::http::problem::Problem;
use shared::token::Refusal;

use crate::alert::InvalidChange;
use crate::retention::Unconfirmed;
use crate::search::InvalidParameter;

/// Seconds after which to try again what failed for a moment.
const RETRY_SECONDS: u32 = 1;

/// Why a request is not answered with what it asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("{0}")]
    Parameter(#[from] InvalidParameter),
    #[error("there is no event with this id")]
    NoSuchEvent,
    #[error("this event has no pseudonyms: it is kept as it came")]
    NotDisguised,
    #[error(
        "what this event said cannot be opened: by the keys that the collector has, or because it was changed"
    )]
    OriginalClosed,
    #[error("nothing has a pseudonym here (`pseudonymise`)")]
    NoPseudonyms,
    #[error("there is no dead letter with this id")]
    NoSuchDeadLetter,
    #[error("only a part of this dead letter was kept, so it cannot be replayed")]
    DeadLetterCut,
    #[error("the dead letter is still none that can be stored as an event: {0}")]
    DeadLetterRefused(&'static str),
    #[error("there is no alert with this fingerprint")]
    NoSuchAlert,
    #[error("an alert has no more room for notes")]
    NotesFull,
    #[error("{0}")]
    AlertChange(#[from] InvalidChange),
    #[error("the body is not JSON: {0}")]
    BodyMalformed(String),
    #[error("{0}")]
    BodyInvalid(String),
    #[error("the body is too large, or did not arrive whole in time")]
    BodyUnreadable,
    #[error("the body is to be application/json")]
    UnsupportedMediaType,
    #[error("say by `If-Match` which revision is to be changed")]
    PreconditionRequired,
    #[error("somebody else has changed it meanwhile; read it again")]
    PreconditionFailed,
    #[error("there is no response with this id")]
    NoSuchResponse,
    #[error("this collector has no client by which it could order anything (`responder_client`)")]
    ResponsesOff,
    #[error("no response touches that one (`responses_spared`)")]
    ResponseSpared,
    #[error("addresses have pseudonyms here: name one that the alert's events have")]
    ResponseAddressUnknown,
    #[error("that would keep you out yourself")]
    ResponseToYourself,
    #[error("a session that was revoked has ended for good")]
    ResponseFinal,
    #[error("it is not in force, so that there is nothing to undo")]
    ResponseNotInForce,
    #[error("there were too many responses in the last hour")]
    ResponseLimit {
        /// Seconds until there is room again.
        retry_after: u32,
    },
    #[error("there is no notification with this id")]
    NoSuchNotification,
    #[error("it has not failed, so that there is nothing to try again")]
    NotificationNotFailed,
    #[error("the settings name no receiver of notifications so")]
    NoSuchReceiver,
    #[error("there is no rule with this id")]
    NoSuchRule,
    #[error("there is no silence in force with this id")]
    NoSuchSilence,
    #[error("there are as many silences in force as there may be: 200")]
    TooManySilences,
    #[error("another backtest is being made")]
    TooManyBacktests,
    #[error("there is no change with this id that waits to be confirmed")]
    NoSuchChange,
    #[error("{0}")]
    Unconfirmed(#[from] Unconfirmed),
    #[error("this is asked for already, and waits to be confirmed")]
    ChangeAskedFor,
    #[error("there is no hold in force with this id")]
    NoSuchHold,
    #[error("a hold in force has that name, or there are as many as there may be")]
    HoldRefused,
    #[error("there is no search with this id, or it is somebody else's own")]
    NoSuchSearch,
    #[error("there is a search with this name already")]
    SearchExists,
    #[error("there are as many searches as there may be: 100 of one owner, 500 for everybody")]
    TooManySearches,
    #[error("this needs a bearer token")]
    TokenMissing,
    #[error("{0}")]
    Authorization(#[from] bearer::MalformedAuthorization),
    #[error("{0}")]
    Token(Refusal),
    #[error("the token lacks the scope {0}")]
    ScopeMissing(&'static str),
    #[error("the read cannot be recorded at the moment, so it is not answered")]
    NotRecorded,
    #[error("the search takes too long; narrow it down, for instance by `from` and `to`")]
    TooCostly,
    #[error("too many follow the log already")]
    TooManyTails,
    #[error("too many exports are made already")]
    TooManyExports,
    #[error("the log cannot be read at the moment")]
    LogUnavailable,
    #[error("there is nothing here")]
    NoSuchPath,
    #[error("this does not answer that method")]
    MethodNotAllowed,
}

impl From<JsonFault> for ApiError {
    fn from(fault: JsonFault) -> Self {
        match fault {
            JsonFault::Malformed(why) => Self::BodyMalformed(why),
            JsonFault::Invalid(why) => Self::BodyInvalid(why),
        }
    }
}

impl From<&DatabaseError> for ApiError {
    fn from(error: &DatabaseError) -> Self {
        if error.is_too_costly() {
            Self::TooCostly
        } else {
            Self::LogUnavailable
        }
    }
}

impl ApiError {
    /// The answer for it.
    pub(crate) fn problem(&self) -> Problem {
        match self {
            Self::Parameter(wrong) => self.as_status(StatusCode::BAD_REQUEST).in_place(wrong.place()),
            Self::Unconfirmed(_) => self.as_status(StatusCode::FORBIDDEN),
            Self::DeadLetterCut
            | Self::DeadLetterRefused(_)
            | Self::ChangeAskedFor
            | Self::HoldRefused
            | Self::SearchExists
            | Self::TooManySearches
            | Self::TooManySilences
            | Self::NotesFull
            | Self::ResponsesOff
            | Self::ResponseSpared
            | Self::ResponseAddressUnknown
            | Self::NotDisguised
            | Self::OriginalClosed
            | Self::NoPseudonyms
            | Self::ResponseToYourself
            | Self::ResponseFinal
            | Self::ResponseNotInForce
            | Self::NotificationNotFailed
            | Self::AlertChange(InvalidChange::Closed) => self.as_status(StatusCode::CONFLICT),
            Self::AlertChange(_) | Self::BodyMalformed(_) | Self::BodyInvalid(_) => {
                self.as_status(StatusCode::BAD_REQUEST)
            }
            Self::ResponseLimit { retry_after } => self
                .as_status(StatusCode::TOO_MANY_REQUESTS)
                .retry_after(*retry_after),
            Self::BodyUnreadable => self.as_status(StatusCode::PAYLOAD_TOO_LARGE),
            Self::UnsupportedMediaType => self.as_status(StatusCode::UNSUPPORTED_MEDIA_TYPE),
            Self::PreconditionRequired => self.as_status(StatusCode::PRECONDITION_REQUIRED),
            Self::PreconditionFailed => self.as_status(StatusCode::PRECONDITION_FAILED),
            Self::NoSuchEvent
            | Self::NoSuchDeadLetter
            | Self::NoSuchChange
            | Self::NoSuchHold
            | Self::NoSuchSearch
            | Self::NoSuchAlert
            | Self::NoSuchRule
            | Self::NoSuchSilence
            | Self::NoSuchResponse
            | Self::NoSuchNotification
            | Self::NoSuchReceiver
            | Self::NoSuchPath => self.as_status(StatusCode::NOT_FOUND),
            Self::MethodNotAllowed => self.as_status(StatusCode::METHOD_NOT_ALLOWED),
            Self::TokenMissing => bearer::missing_token(),
            Self::Authorization(error) => bearer::malformed_authorization(*error),
            Self::Token(refusal) => bearer::refused_token(*refusal),
            Self::ScopeMissing(scope) => bearer::insufficient_scope(self.to_string(), Some(scope)),
            Self::NotRecorded
            | Self::TooCostly
            | Self::TooManyTails
            | Self::TooManyExports
            | Self::TooManyBacktests
            | Self::LogUnavailable => self
                .as_status(StatusCode::SERVICE_UNAVAILABLE)
                .retry_after(RETRY_SECONDS),
        }
    }

    /// The stable code for programs and events.
    pub(crate) const fn code(&self) -> &'static str {
        match self {
            Self::Parameter(_) => "parameter_invalid",
            Self::NoSuchEvent => "event_not_found",
            Self::NoSuchDeadLetter => "dead_letter_not_found",
            Self::DeadLetterCut => "dead_letter_cut",
            Self::DeadLetterRefused(_) => "dead_letter_refused",
            Self::NoSuchAlert => "alert_not_found",
            Self::NotesFull => "alert_notes_full",
            Self::AlertChange(InvalidChange::Closed) => "alert_closed",
            Self::AlertChange(_) | Self::BodyInvalid(_) => "body_invalid",
            Self::BodyMalformed(_) => "body_malformed",
            Self::BodyUnreadable => "body_too_large",
            Self::UnsupportedMediaType => "unsupported_media_type",
            Self::PreconditionRequired => "precondition_required",
            Self::PreconditionFailed => "precondition_failed",
            Self::NoSuchResponse => "response_not_found",
            Self::ResponsesOff => "responses_off",
            Self::ResponseSpared => "response_spared",
            Self::ResponseAddressUnknown => "response_address_unknown",
            Self::NotDisguised => "event_not_disguised",
            Self::OriginalClosed => "original_closed",
            Self::NoPseudonyms => "pseudonyms_off",
            Self::ResponseToYourself => "would_respond_to_yourself",
            Self::ResponseFinal => "response_final",
            Self::ResponseNotInForce => "response_not_in_force",
            Self::ResponseLimit { .. } => "response_limit",
            Self::NoSuchNotification => "notification_not_found",
            Self::NotificationNotFailed => "notification_not_failed",
            Self::NoSuchReceiver => "receiver_not_found",
            Self::NoSuchRule => "rule_not_found",
            Self::NoSuchSilence => "silence_not_found",
            Self::TooManySilences => "too_many_silences",
            Self::TooManyBacktests => "too_many_backtests",
            Self::NoSuchChange => "change_not_found",
            Self::Unconfirmed(_) => "change_unconfirmed",
            Self::ChangeAskedFor => "change_asked_for",
            Self::NoSuchHold => "hold_not_found",
            Self::HoldRefused => "hold_refused",
            Self::NoSuchSearch => "search_not_found",
            Self::SearchExists => "search_exists",
            Self::TooManySearches => "too_many_searches",
            Self::NoSuchPath => "not_found",
            Self::MethodNotAllowed => "method_not_allowed",
            Self::TokenMissing => "token_missing",
            Self::Authorization(_) => bearer::AUTHORIZATION_MALFORMED,
            Self::Token(refusal) => refusal.code(),
            Self::ScopeMissing(_) => "insufficient_scope",
            Self::NotRecorded => "audit_unavailable",
            Self::TooCostly => "search_too_costly",
            Self::TooManyTails => "too_many_tails",
            Self::TooManyExports => "too_many_exports",
            Self::LogUnavailable => "log_unavailable",
        }
    }

    fn as_status(&self, status: StatusCode) -> Problem {
        Problem::new(status, self.code(), self.to_string())
    }
}
