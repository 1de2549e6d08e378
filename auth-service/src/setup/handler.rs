//! `POST /v1/setup`.

use std::collections::BTreeSet;
use std::fmt;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use shared::event::{Actor, Class, Identity, Outcome, action};
use utoipa::ToSchema;

use crate::app::App;
use crate::error::ApiError;
use crate::one_time_token::{self, Purpose};
use crate::request::{JsonBody, RequestContext};
use crate::user::{self, ADMIN_ROLE, NewUser, Username};
use crate::{outbox, password};

/// The one-time token and the administrator to make.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SetupRequest {
    #[schema(max_length = 128)]
    token: String,
    #[schema(value_type = String, min_length = 1, max_length = 64, pattern = "^[A-Za-z0-9][A-Za-z0-9._@+-]*$")]
    username: Username,
    /// At least 15 characters.
    #[schema(min_length = 15, max_length = 1024)]
    password: String,
}

impl fmt::Debug for SetupRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("SetupRequest(…)")
    }
}

#[derive(Serialize, ToSchema)]
pub(super) struct SetupBody {
    #[schema(max_length = 64)]
    id: String,
    #[schema(max_length = 64)]
    username: String,
}

/// Makes the first administrator. A password that is refused does not use the token up.
#[utoipa::path(
    post,
    path = "/v1/setup",
    operation_id = "setUp",
    tag = "administration",
    request_body = SetupRequest,
    responses(
        (status = 201, description = "The administrator is made", body = SetupBody),
        (status = 403, description = "`one_time_token_refused`"),
        (status = 409, description = "`setup_done`: there is an administrator already")
    )
)]
pub(super) async fn set_up(
    State(app): State<App>,
    context: RequestContext,
    JsonBody(request): JsonBody<SetupRequest>,
) -> Result<Response, ApiError> {
    let mut tx = app.database.read().await?;
    if user::has_administrator(&mut tx).await? {
        return Err(ApiError::SetupDone);
    }
    let is_good = one_time_token::exists(&mut tx, Purpose::Setup, &request.token, app.now()).await?;
    drop(tx);
    if !is_good {
        return Err(one_time_token::refuse(&app, &context, Purpose::Setup).await);
    }
    password::check(&app, &request.password, request.username.as_str()).await?;
    let hash = app.hasher.hash(request.password).await?;
    let now = app.now();
    let mut tx = app.database.write().await?;
    // There is one setup token at a time, so that of two who try at once one finds it used up.
    if !one_time_token::consume(&mut tx, Purpose::Setup, &request.token, now).await? {
        drop(tx);
        return Err(one_time_token::refuse(&app, &context, Purpose::Setup).await);
    }
    if user::has_administrator(&mut tx).await? {
        return Err(ApiError::SetupDone);
    }
    let id = user::fresh_id();
    let new = NewUser {
        id: &id,
        username: &request.username,
        password_hash: Some(&hash),
        roles: &BTreeSet::from([ADMIN_ROLE.to_owned()]),
    };
    user::insert(&mut tx, &new, now).await?;
    let username = request.username.as_str().to_owned();
    let actor = Actor {
        identity: Identity::Verified,
        sub: Some(id.clone()),
        username: Some(username.clone()),
        roles: vec![ADMIN_ROLE.to_owned()],
        ..Actor::default()
    };
    let facts = context
        .facts(Class::Admin, action::USER_CREATED, Outcome::Success, actor)
        .with_detail("user_id", id.as_str())
        .with_detail("username", username.as_str())
        .with_detail("before", Value::Null)
        .with_detail("after", json!({ "roles": [ADMIN_ROLE], "disabled": false }))
        .with_detail("by", "setup_token");
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok((StatusCode::CREATED, Json(SetupBody { id, username })).into_response())
}
