//! `/v1/admin/blocks`.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::bounded;
use utoipa::ToSchema;
use uuid::Uuid;

use super::administer::{self, Blocked, NewBlock};
use super::store::Block;
use crate::app::App;
use crate::error::ApiError;
use crate::request::{Administrator, Enforcer, JsonBody, PathId};

/// The longest reason that is kept, in bytes.
const REASON_MAX: usize = 256;

/// Who is to be kept out, for how long and why: an address or network, a subject, a session, or a token; or a subject until it signs
/// in again.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateBlockRequest {
    /// An address or a network such as `192.0.2.0/24`.
    #[schema(max_length = 64)]
    address: Option<String>,
    /// The id of a user or a client.
    #[schema(max_length = 128)]
    subject: Option<String>,
    /// The id of a session (`sid`).
    #[schema(max_length = 128)]
    session: Option<String>,
    /// The id of a token (`jti`).
    #[schema(max_length = 128)]
    token: Option<String>,
    /// The id of a user: what goes back to its sign-ins until now is refused, a new sign-in is not.
    #[schema(max_length = 128)]
    step_up: Option<String>,
    #[schema(max_length = 256)]
    reason: String,
    /// A minute to thirty days.
    #[schema(minimum = 60, maximum = 2_592_000)]
    seconds: u64,
    /// An id of the caller's own. What is asked for once more under the same key, because the answer was lost, is done once.
    #[schema(value_type = Option<String>, max_length = 36, examples("01a21e62-9482-797e-b294-fbc8b87fdcc4"))]
    key: Option<Uuid>,
}

/// A block in force.
#[derive(Serialize, ToSchema)]
pub(super) struct BlockBody {
    #[schema(max_length = 64)]
    id: String,
    /// `address`, `subject`, `session`, `token` or `step_up`.
    #[schema(max_length = 16)]
    kind: String,
    #[schema(max_length = 128)]
    value: String,
    #[schema(max_length = 256)]
    reason: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: UtcMicros,
    #[schema(value_type = String, format = DateTime)]
    expires_at: UtcMicros,
}

/// Every block in force, the oldest first.
#[derive(Serialize, ToSchema)]
pub(super) struct BlocksBody {
    #[schema(max_items = 1000)]
    blocks: Vec<BlockBody>,
}

impl From<Block> for BlockBody {
    fn from(block: Block) -> Self {
        Self {
            id: block.id,
            kind: block.kind,
            value: block.value,
            reason: block.reason,
            created_at: UtcMicros::from_micros(block.created_at),
            expires_at: UtcMicros::from_micros(block.expires_at),
        }
    }
}

impl CreateBlockRequest {
    fn blocked(&self) -> Result<Blocked, ApiError> {
        let named = [
            &self.address,
            &self.subject,
            &self.session,
            &self.token,
            &self.step_up,
        ];
        Blocked::one_of(&named.map(Option::as_deref))
    }
}

/// Who is kept out.
#[utoipa::path(
    get,
    path = "/v1/admin/blocks",
    operation_id = "listBlocks",
    tag = "administration",
    security(("bearer" = ["admin"])),
    responses((status = 200, description = "The blocks in force", body = BlocksBody))
)]
pub(super) async fn list_blocks(
    State(app): State<App>,
    _: Administrator,
) -> Result<Json<BlocksBody>, ApiError> {
    let blocks = administer::list(&app)
        .await?
        .into_iter()
        .map(BlockBody::from)
        .collect();
    Ok(Json(BlocksBody { blocks }))
}

/// Keeps an address, a network, a subject, a session or a token out at every door, for a time; or demands a new sign-in of a subject.
#[utoipa::path(
    post,
    path = "/v1/admin/blocks",
    operation_id = "createBlock",
    tag = "administration",
    security(("bearer" = ["admin"]), ("bearer" = ["enforcement:write"])),
    request_body = CreateBlockRequest,
    responses(
        (status = 201, description = "The block is in force", body = BlockBody),
        (status = 409, description = "`would_block_yourself`")
    )
)]
pub(super) async fn create_block(
    State(app): State<App>,
    enforcer: Enforcer,
    JsonBody(request): JsonBody<CreateBlockRequest>,
) -> Result<Response, ApiError> {
    let blocked = request.blocked()?;
    let reason = bounded(&request.reason, REASON_MAX);
    if reason.trim().is_empty() || reason.contains('\0') {
        return Err(ApiError::BodyInvalid("a block has a reason".into()));
    }
    let new = NewBlock {
        blocked,
        reason,
        lifetime: Duration::from_secs(request.seconds),
        key: request.key,
    };
    let block = administer::create(&app, &enforcer.operator, new).await?;
    Ok((StatusCode::CREATED, Json(BlockBody::from(block))).into_response())
}

/// Lets in again who is kept out.
#[utoipa::path(
    delete,
    path = "/v1/admin/blocks/{id}",
    operation_id = "liftBlock",
    tag = "administration",
    security(("bearer" = ["admin"]), ("bearer" = ["enforcement:write"])),
    params(("id" = String, Path, max_length = 64)),
    responses((status = 204, description = "The block is lifted"), (status = 404, description = "`not_found`"))
)]
pub(super) async fn lift_block(
    State(app): State<App>,
    enforcer: Enforcer,
    PathId(id): PathId,
) -> Result<StatusCode, ApiError> {
    administer::lift(&app, &enforcer.operator, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
