//! What the HTTP surface looks like: an OpenAPI 3.1 document made from the routes themselves, on the service's own listener.

mod handler;

use std::sync::LazyLock;

use serde_json::{Map, Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::access::SCOPES;
use crate::app::{AppState, end_points};

/// What the document says about the service as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatelog audit-collector",
        description = "The event log. Reading it needs the scope `audit:read`, and every read is itself an event. Events are as \
            `shared/schema/event.v1.schema.json` says, with `recorded_at`, `position` and `time_suspect` of the collector. Errors \
            are RFC 9457 problem details with a stable `code`."
    ),
    tags(
        (name = "log", description = "Reading the log"),
        (name = "console", description = "The page for people, which asks the other end points"),
        (name = "detection", description = "What rules found in the log"),
        (name = "operation", description = "For operators; not routed at the door")
    )
)]
struct About;

/// Made once, when it is first asked for.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // A value without floats or foreign keys cannot fail to be written.
    serde_json::to_string_pretty(&document()).unwrap_or_default()
});

/// `GET /openapi.json`.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::read_description))
}

/// The document with what is the same at every end point.
fn document() -> Value {
    let mut about = About::openapi();
    about.merge(end_points().into_openapi());
    let mut document = serde_json::to_value(about).unwrap_or_default();
    if let Some(members) = document.as_object_mut() {
        members.insert("components".to_owned(), components());
    }
    let operations = document
        .get_mut("paths")
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(Map::values_mut)
        .filter_map(Value::as_object_mut)
        .flat_map(Map::values_mut);
    for operation in operations {
        if let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) {
            let problem = json!({ "schema": { "$ref": "#/components/schemas/Problem" } });
            responses.insert(
                "default".to_owned(),
                json!({
                    "description": "An error; 503 says when to come back",
                    "content": { "application/problem+json": problem },
                }),
            );
        }
    }
    document
}

fn components() -> Value {
    json!({
        "schemas": {
            "Problem": {
                "type": "object",
                "description": "RFC 9457",
                "required": ["type", "title", "status", "code", "detail"],
                "properties": {
                    "type": { "type": "string" },
                    "title": { "type": "string" },
                    "status": { "type": "integer" },
                    "code": { "type": "string", "description": "Stable, for programs" },
                    "detail": { "type": "string" },
                    "request_id": { "type": "string" },
                },
            },
        },
        "securitySchemes": {
            "bearer": {
                "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                "description": format!(
                    "An access token for the audience `gatelog` with the scope that the end point names: {}",
                    SCOPES.join(", ")
                ),
            },
        },
    })
}
