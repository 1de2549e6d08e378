//! `/v1/mfa/totp` and `/v1/mfa/recovery-codes`.

use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use utoipa::ToSchema;

use super::manage;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, JsonBody, Operator, RecentSignIn, RequestContext};

/// Whether the caller has a second factor.
#[derive(Serialize, ToSchema)]
pub(super) struct TotpBody {
    enrolled: bool,
    #[schema(value_type = Option<String>, format = DateTime)]
    added_at: Option<UtcMicros>,
}

/// A secret for an authenticator app, shown once. It is no factor before it is confirmed.
#[derive(Serialize, ToSchema)]
pub(super) struct BegunTotpBody {
    /// In base 32, to be typed into an app.
    #[schema(max_length = 64)]
    secret: String,
    /// The same for a QR code.
    #[schema(max_length = 512)]
    otpauth_uri: String,
    /// Until when it can be confirmed.
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

/// A code of the secret that was shown.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ConfirmTotpRequest {
    #[schema(max_length = 64)]
    code: String,
}

impl fmt::Debug for ConfirmTotpRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("ConfirmTotpRequest(…)")
    }
}

/// Recovery codes, shown once; each is good once.
#[derive(Serialize, ToSchema)]
pub(super) struct RecoveryCodesBody {
    #[schema(max_items = 10)]
    recovery_codes: Vec<String>,
}

/// How many recovery codes are left.
#[derive(Serialize, ToSchema)]
pub(super) struct CodesLeftBody {
    left: i64,
}

/// Whether the caller has a second factor.
#[utoipa::path(
    get,
    path = "/v1/mfa/totp",
    operation_id = "readTotp",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 200, description = "Whether there is one", body = TotpBody))
)]
pub(super) async fn read_totp(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let user_id = caller.signed_in(&app).await?;
    let added_at = manage::added_at(&app, user_id).await?;
    let enrolled = added_at.is_some();
    let body = Json(TotpBody { enrolled, added_at });
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Makes a secret for an authenticator app. Needs a sign-in of the last five minutes.
#[utoipa::path(
    post,
    path = "/v1/mfa/totp",
    operation_id = "beginTotp",
    tag = "account",
    security(("bearer" = [])),
    responses(
        (status = 201, description = "The secret, shown once", body = BegunTotpBody),
        (status = 401, description = "`reauthentication_required`, or as for every token"),
        (status = 403, description = "`sign_in_required`: no key and no client of others changes a factor"),
        (status = 409, description = "`mfa_enrolled`")
    )
)]
pub(super) async fn begin_totp(State(app): State<App>, recent: RecentSignIn) -> Result<Response, ApiError> {
    let begun = manage::begin(&app, &recent.operator, &recent.caller.0.sub).await?;
    let body = Json(BegunTotpBody {
        secret: begun.provision.secret.to_string(),
        otpauth_uri: begun.provision.uri.to_string(),
        expires_at: begun.expires_at,
    });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Makes the secret a second factor by a code of it, and ends the caller's other sessions.
#[utoipa::path(
    post,
    path = "/v1/mfa/totp/confirm",
    operation_id = "confirmTotp",
    tag = "account",
    security(("bearer" = [])),
    request_body = ConfirmTotpRequest,
    responses(
        (status = 200, description = "Recovery codes, shown once", body = RecoveryCodesBody),
        (status = 403, description = "`mfa_code_refused` or `sign_in_required`"),
        (status = 409, description = "`mfa_enrolment_over` or `mfa_enrolled`"),
        (status = 429, description = "`too_many_attempts`: `Retry-After` says for how long")
    )
)]
pub(super) async fn confirm_totp(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    JsonBody(request): JsonBody<ConfirmTotpRequest>,
) -> Result<Response, ApiError> {
    caller.signed_in(&app).await?;
    let operator = Operator::of(context, &caller);
    let recovery_codes = manage::confirm(&app, &operator, &caller, &request.code).await?;
    let body = Json(RecoveryCodesBody { recovery_codes });
    Ok(([(CACHE_CONTROL, "no-store")], body).into_response())
}

/// Removes the second factor with its recovery codes, and ends the caller's other sessions. Needs a sign-in of the last five minutes
/// with the factor.
#[utoipa::path(
    delete,
    path = "/v1/mfa/totp",
    operation_id = "removeTotp",
    tag = "account",
    security(("bearer" = [])),
    responses(
        (status = 204, description = "The second factor is gone"),
        (status = 401, description = "`reauthentication_required`, or as for every token"),
        (status = 403, description = "`sign_in_required`"),
        (status = 409, description = "`mfa_not_enrolled`")
    )
)]
pub(super) async fn remove_totp(
    State(app): State<App>,
    recent: RecentSignIn,
) -> Result<StatusCode, ApiError> {
    manage::remove(&app, &recent.operator, &recent.caller).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// How many recovery codes the caller has left.
#[utoipa::path(
    get,
    path = "/v1/mfa/recovery-codes",
    operation_id = "readRecoveryCodes",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 200, description = "How many are left", body = CodesLeftBody))
)]
pub(super) async fn read_recovery_codes(
    State(app): State<App>,
    caller: Caller,
) -> Result<Response, ApiError> {
    let user_id = caller.signed_in(&app).await?;
    let left = manage::codes_left(&app, user_id).await?;
    Ok(([(CACHE_CONTROL, "no-store")], Json(CodesLeftBody { left })).into_response())
}

/// Makes new recovery codes; those before are void. Needs a sign-in of the last five minutes with the factor.
#[utoipa::path(
    post,
    path = "/v1/mfa/recovery-codes",
    operation_id = "renewRecoveryCodes",
    tag = "account",
    security(("bearer" = [])),
    responses(
        (status = 201, description = "Recovery codes, shown once", body = RecoveryCodesBody),
        (status = 401, description = "`reauthentication_required`, or as for every token"),
        (status = 403, description = "`sign_in_required`"),
        (status = 409, description = "`mfa_not_enrolled`")
    )
)]
pub(super) async fn renew_recovery_codes(
    State(app): State<App>,
    recent: RecentSignIn,
) -> Result<Response, ApiError> {
    let recovery_codes = manage::renew_codes(&app, &recent.operator, &recent.caller.0.sub).await?;
    let body = Json(RecoveryCodesBody { recovery_codes });
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], body).into_response())
}
