//! Every way a request can fail, and the status and code that each has.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use shared::http::bearer;
use shared::http::problem::Problem;
use shared::token::Refusal;

use crate::request::RECENT_SECONDS;
use crate::second_factor::FactorRefusal;
use crate::sign_in::Level;
use shared::database::DatabaseError;

/// When to come back after a failure that may pass, in seconds.
const RETRY_SECONDS: u32 = 1;

/// Why a request was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiError {
    #[error("there is nothing here")]
    NotFound,
    #[error("this does not take that method")]
    MethodNotAllowed,
    #[error("the body must be of the content type application/json")]
    UnsupportedMediaType,
    #[error("the body is larger than it may be")]
    BodyTooLarge,
    #[error("the body did not arrive")]
    BodyIncomplete,
    #[error("the body is not JSON: {0}")]
    BodyMalformed(String),
    #[error("{0}")]
    BodyInvalid(Cow<'static, str>),
    #[error("the query is not what this takes")]
    QueryInvalid,
    #[error("the user name or the password is wrong")]
    BadCredentials,
    #[error("the one-time token is unknown, expired or used")]
    OneTimeTokenRefused,
    #[error("there is an administrator already")]
    SetupDone,
    #[error("that user name is taken")]
    UsernameTaken,
    #[error("a role of that list does not exist")]
    RoleUnknown,
    #[error("this changes what others may have changed: send If-Match with the ETag that you have seen")]
    PreconditionRequired,
    #[error("it was changed since you have seen it; read it again")]
    PreconditionFailed,
    #[error("without this one nobody could administer any more")]
    LastAdministrator,
    #[error("somebody else has disabled it too: an administrator may enable it")]
    DisabledByAnother,
    #[error("that would keep you out yourself")]
    WouldBlockYourself,
    #[error("there is a role of that name already")]
    RoleTaken,
    #[error("some users have that role")]
    RoleInUse,
    #[error("that role is built in: {0}")]
    RoleBuiltIn(&'static str),
    #[error("there are two secrets that are good; delete one first")]
    TooManySecrets,
    #[error("there are as many API keys as one user may have")]
    TooManyKeys,
    #[error("this needs somebody who has signed in, not a key or a client of others")]
    SignInRequired,
    #[error("this needs a sign-in of the last five minutes, with the second factor if there is one")]
    ReauthenticationRequired,
    #[error(transparent)]
    Factor(#[from] FactorRefusal),
    #[error("{0}")]
    PasswordRefused(crate::password::Weakness),
    #[error("that audience is not known here")]
    AudienceUnknown,
    #[error(transparent)]
    AuthorizationMalformed(#[from] bearer::MalformedAuthorization),
    #[error("no token was presented")]
    TokenMissing,
    #[error("the token was refused: {0}")]
    TokenRefused(Refusal),
    #[error("this needs the scope `{0}`")]
    ScopeMissing(&'static str),
    #[error("the service token was refused")]
    ServiceTokenRefused,
    #[error("too many attempts failed; try again later")]
    TooManyAttempts(std::time::Duration),
    #[error("too many sign-ins at the moment")]
    TooBusy,
    #[error(transparent)]
    NoSigner(#[from] crate::signing_key::NoSigner),
    #[error(transparent)]
    Database(#[from] DatabaseError),
    #[error(transparent)]
    Internal(#[from] Internal),
}

/// A fault of ours.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Internal {
    #[error(transparent)]
    Randomness(#[from] crate::secret::NoRandomness),
    #[error(transparent)]
    Hashing(#[from] crate::password::HashingError),
    #[error(transparent)]
    Breached(#[from] crate::password::BreachedError),
    #[error(transparent)]
    Signing(#[from] crate::token::SignError),
    #[error(transparent)]
    Totp(#[from] crate::second_factor::Unusable),
    #[error(transparent)]
    Outbox(#[from] crate::outbox::Unwritable),
    #[error("the database holds what no version of this service writes: {0}")]
    Unreadable(&'static str),
    #[error("the request was not entered through the router")]
    NotEntered,
    #[error("the handler panicked")]
    Panicked,
}

impl ApiError {
    /// What the client gets.
    pub(crate) fn problem(&self) -> Problem {
        use StatusCode as S;
        let (status, code) = match self {
            Self::NotFound => (S::NOT_FOUND, "not_found"),
            Self::MethodNotAllowed => (S::METHOD_NOT_ALLOWED, "method_not_allowed"),
            Self::UnsupportedMediaType => (S::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type"),
            Self::BodyTooLarge => (S::PAYLOAD_TOO_LARGE, "body_too_large"),
            Self::BodyIncomplete => (S::BAD_REQUEST, "body_incomplete"),
            Self::BodyMalformed(_) => (S::BAD_REQUEST, "body_malformed"),
            Self::BodyInvalid(_) => (S::BAD_REQUEST, "body_invalid"),
            Self::QueryInvalid => (S::BAD_REQUEST, "query_invalid"),
            Self::BadCredentials => (S::UNAUTHORIZED, "bad_credentials"),
            Self::OneTimeTokenRefused => (S::FORBIDDEN, "one_time_token_refused"),
            Self::SetupDone => (S::CONFLICT, "setup_done"),
            Self::UsernameTaken => (S::CONFLICT, "username_taken"),
            Self::RoleUnknown => (S::BAD_REQUEST, "role_unknown"),
            Self::PreconditionRequired => (S::PRECONDITION_REQUIRED, "precondition_required"),
            Self::PreconditionFailed => (S::PRECONDITION_FAILED, "precondition_failed"),
            Self::LastAdministrator => (S::CONFLICT, "last_administrator"),
            Self::DisabledByAnother => (S::CONFLICT, "disabled_by_another"),
            Self::WouldBlockYourself => (S::CONFLICT, "would_block_yourself"),
            Self::RoleTaken => (S::CONFLICT, "role_taken"),
            Self::RoleInUse => (S::CONFLICT, "role_in_use"),
            Self::RoleBuiltIn(_) => (S::CONFLICT, "role_built_in"),
            Self::TooManySecrets => (S::CONFLICT, "too_many_secrets"),
            Self::TooManyKeys => (S::CONFLICT, "too_many_keys"),
            Self::SignInRequired => (S::FORBIDDEN, "sign_in_required"),
            Self::Factor(refusal) => of_factor(*refusal),
            Self::ReauthenticationRequired => return reauthentication_required(self.to_string()),
            Self::PasswordRefused(_) => (S::BAD_REQUEST, "password_refused"),
            Self::AudienceUnknown => (S::BAD_REQUEST, "audience_unknown"),
            Self::AuthorizationMalformed(error) => return bearer::malformed_authorization(*error),
            Self::TokenMissing => return bearer::missing_token(),
            Self::TokenRefused(refusal) => return bearer::refused_token(*refusal),
            Self::ScopeMissing(scope) => return bearer::insufficient_scope(self.to_string(), Some(scope)),
            Self::ServiceTokenRefused => (S::UNAUTHORIZED, "service_token_refused"),
            Self::TooManyAttempts(wait) => return too_many_attempts(self.to_string(), *wait),
            Self::TooBusy => return unavailable("too_busy", "too many sign-ins at the moment; try again"),
            Self::NoSigner(_) => {
                return unavailable(
                    "signing_unavailable",
                    "nothing can be signed at the moment; try again",
                );
            }
            Self::Database(error) if error.is_transient() => {
                return unavailable("database_unavailable", "the database is not available; try again");
            }
            Self::Database(_) | Self::Internal(_) => return internal_error(),
        };
        let problem = Problem::new(status, code, self.to_string());
        match self {
            // RFC 9110 §11.6.1: a 401 says how to authenticate. Sign-in takes its credentials in the body, not here.
            Self::ServiceTokenRefused | Self::BadCredentials => {
                problem.with_challenge(&http::HeaderValue::from_static(r#"Bearer realm="gatelog""#))
            }
            _ => problem,
        }
    }
}

fn internal_error() -> Problem {
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal_error",
        "something went wrong here",
    )
}

const fn of_factor(refusal: FactorRefusal) -> (StatusCode, &'static str) {
    match refusal {
        FactorRefusal::CodeRefused => (StatusCode::FORBIDDEN, "mfa_code_refused"),
        FactorRefusal::TicketRefused => (StatusCode::FORBIDDEN, "mfa_ticket_refused"),
        FactorRefusal::Enrolled => (StatusCode::CONFLICT, "mfa_enrolled"),
        FactorRefusal::NotEnrolled => (StatusCode::CONFLICT, "mfa_not_enrolled"),
        FactorRefusal::EnrolmentOver => (StatusCode::CONFLICT, "mfa_enrolment_over"),
    }
}

/// RFC 9470 §3: what the client asks for with `max_age` and `acr_values` when it has the user sign in again.
fn reauthentication_required(detail: String) -> Problem {
    let acr = Level::SecondFactor.as_str();
    bearer::insufficient_authentication("reauthentication_required", detail, RECENT_SECONDS, acr)
}

fn too_many_attempts(detail: String, wait: std::time::Duration) -> Problem {
    let problem = Problem::new(StatusCode::TOO_MANY_REQUESTS, "too_many_attempts", detail);
    problem.retry_after(whole_seconds(wait))
}

/// Rounded up: whoever comes back then is not too early.
fn whole_seconds(wait: std::time::Duration) -> u32 {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    u32::try_from(seconds).unwrap_or(u32::MAX).max(1)
}

fn unavailable(code: &'static str, detail: &'static str) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, code, detail).retry_after(RETRY_SECONDS)
}

/// A failure on its way to the middleware that knows the request's id, which answers and logs it.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    pub(crate) problem: Problem,
    /// What went wrong, for the log; never for the client.
    pub(crate) cause: String,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = problem.status.into_response();
        response.extensions_mut().insert(Failed {
            problem,
            cause: self.to_string(),
        });
        response
    }
}
