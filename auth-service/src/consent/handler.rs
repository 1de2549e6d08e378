//! `GET /v1/consents` and `DELETE /v1/consents/{client_id}`.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use shared::clock::UtcMicros;
use shared::event::{Class, Outcome, action};
use utoipa::ToSchema;

use super::store;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Caller, RequestContext};
use crate::session::{self, EndReason, Ending};
use crate::{authorize, outbox};

/// What the caller has allowed clients of others.
#[derive(Serialize, ToSchema)]
pub(super) struct ConsentsBody {
    #[schema(max_items = 1000)]
    consents: Vec<ConsentBody>,
}

#[derive(Serialize, ToSchema)]
pub(super) struct ConsentBody {
    #[schema(max_length = 128)]
    client_id: String,
    #[schema(max_length = 128)]
    audience: String,
    #[schema(max_items = 64)]
    scopes: Vec<String>,
    #[schema(value_type = String, format = DateTime)]
    granted_at: UtcMicros,
}

impl From<store::Consent> for ConsentBody {
    fn from(consent: store::Consent) -> Self {
        Self {
            client_id: consent.client_id,
            audience: consent.audience,
            scopes: consent.scope.split_whitespace().map(str::to_owned).collect(),
            granted_at: UtcMicros::from_micros(consent.granted_at),
        }
    }
}

/// The caller's own consents.
#[utoipa::path(
    get,
    path = "/v1/consents",
    operation_id = "listConsents",
    tag = "account",
    security(("bearer" = [])),
    responses((status = 200, description = "The consents", body = ConsentsBody))
)]
pub(super) async fn list(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let mut tx = app.database.read().await?;
    let consents = store::all_of(&mut tx, &caller.0.sub).await?;
    let consents = consents.into_iter().map(ConsentBody::from).collect();
    Ok(([(CACHE_CONTROL, "no-store")], Json(ConsentsBody { consents })).into_response())
}

/// Takes back what the caller has allowed a client, and ends the sessions that the client opened for it.
#[utoipa::path(
    delete,
    path = "/v1/consents/{client_id}",
    operation_id = "revokeConsent",
    tag = "account",
    security(("bearer" = [])),
    params(("client_id" = String, Path, max_length = 128)),
    responses(
        (status = 204, description = "The client is allowed nothing"),
        (status = 404, description = "`not_found`: the caller has allowed it nothing")
    )
)]
pub(super) async fn revoke(
    State(app): State<App>,
    context: RequestContext,
    caller: Caller,
    Path(client_id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let (user_id, actor, now) = (caller.0.sub.as_str(), caller.actor(), app.now());
    if client_id.contains('\0') {
        return Err(ApiError::NotFound);
    }
    let mut tx = app.database.write().await?;
    if !store::delete(&mut tx, user_id, &client_id).await? {
        return Err(ApiError::NotFound);
    }
    authorize::void(&mut tx, user_id, &client_id).await?;
    let facts = context
        .facts(
            Class::Auth,
            action::CONSENT_REVOKED,
            Outcome::Success,
            actor.clone(),
        )
        .with_detail("client_id", client_id.as_str());
    outbox::append(&mut tx, now, facts).await?;
    let ending = Ending {
        context: &context,
        actor: &actor,
        reason: EndReason::ConsentRevoked,
        decision: None,
        now,
    };
    let opened = authorize::sessions_of_client(&mut tx, user_id, &client_id).await?;
    session::end_each(&mut tx, opened.into_iter(), &ending).await?;
    app.database.commit(tx).await?;
    Ok(StatusCode::NO_CONTENT)
}
