//! `POST /v1/logout`.

use axum::extract::State;
use http::StatusCode;

use super::logout;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, RequestContext};

/// Ends the session of the token that is presented.
#[utoipa::path(
    post,
    path = "/v1/logout",
    operation_id = "logOut",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 204, description = "The session has ended"))
)]
pub(super) async fn log_out(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
) -> Result<StatusCode, ApiError> {
    logout::log_out(&app, &context, &caller).await?;
    Ok(StatusCode::NO_CONTENT)
}
