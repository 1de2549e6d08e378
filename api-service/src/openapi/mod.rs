//! What the door's own end points look like: an OpenAPI 3.1 document. Those of the services behind it are in their own documents,
//! and your APIs are yours to describe.

mod codes;

use std::sync::LazyLock;

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use utoipa::{OpenApi, ToSchema};

/// What the document says about the door as a whole.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Gatelog door",
        description = "The end points of api-service itself. Everything else that it serves is forwarded: auth-service and \
            audit-collector describe themselves. Errors are RFC 9457 problem details with a stable `code`; every answer carries \
            its `X-Request-Id`, which finds its event. Routes with a rate limit carry `RateLimit-Policy` and `RateLimit`."
    ),
    paths(
        crate::door::me::answer,
        crate::door::protected_resource::answer,
        crate::intake::handler::take,
        crate::forward_auth::handler::handle,
        crate::app::healthz,
        crate::app::readyz,
        answer
    ),
    components(schemas(Problem)),
    tags(
        (name = "caller", description = "For whoever has a token"),
        (name = "services", description = "For services that report what they did"),
        (name = "proxies", description = "For proxies that the settings name (`decide_peers`)"),
        (name = "operation", description = "For operators and machines")
    )
)]
struct About;

/// An error (RFC 9457).
#[derive(ToSchema)]
#[expect(dead_code, reason = "only its description is used")]
struct Problem {
    /// `about:blank`.
    r#type: String,
    /// What the status is called.
    title: String,
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// Stable, for programs.
    code: String,
    /// A sentence for people.
    detail: String,
    /// Finds the event.
    request_id: Option<String>,
}

/// Made once, when it is first asked for.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    // A value without floats or foreign keys cannot fail to be written.
    serde_json::to_string_pretty(&document()).unwrap_or_default()
});

/// This document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "readDescription",
    tag = "operation",
    responses((status = 200, description = "OpenAPI 3.1", body = Object))
)]
pub(crate) fn answer() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")];
    (headers, DOCUMENT.as_str()).into_response()
}

/// The document with what is the same at every end point.
fn document() -> Value {
    let mut document = serde_json::to_value(About::openapi()).unwrap_or_default();
    if let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) {
        let bearer = "An access token for any audience that is accepted here";
        components.insert(
            "securitySchemes".to_owned(),
            json!({ "bearer": { "type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": bearer } }),
        );
    }
    if let Some(code) = document.pointer_mut("/components/schemas/Problem/properties/code") {
        *code = json!({ "type": "string", "description": "Stable, for programs", "enum": codes::ALL });
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
            responses.entry("default").or_insert_with(|| {
                json!({
                    "description": "An error; 429 and 503 say when to come back",
                    "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } },
                })
            });
        }
    }
    document
}
