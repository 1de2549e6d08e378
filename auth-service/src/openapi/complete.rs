//! Adds to a document what is the same at every end point: errors, the request's id, and how callers prove themselves.
//! Pure: a document in, a document out.

use serde_json::{Map, Value, json};

/// Shapes that are no types of this service: errors, and what `shared` and the RFCs define.
const SCHEMAS: &str = include_str!("schemas.json");

/// Where clients find errors in the form of RFC 6749 §5.2.
const OAUTH: [&str; 3] = ["/oauth/token", "/oauth/revoke", "/oauth/introspect"];

/// What every end point that takes a body may answer.
const BODY_ERRORS: [(&str, &str); 3] = [
    ("400", "The body is not of the form that it should be."),
    ("413", "The body is larger than it may be."),
    ("415", "The body is of another content type."),
];

/// What every end point that takes a bearer token may answer.
const BEARER_ERRORS: [(&str, &str); 2] = [
    (
        "401",
        "There is no token, or it is expired, revoked or not for Gatelog.",
    ),
    ("403", "The token has not the scope that this needs."),
];

/// The document with all of it.
pub(super) fn complete(mut document: Value) -> Value {
    add_components(&mut document);
    if let Some(paths) = document.pointer_mut("/paths").and_then(Value::as_object_mut) {
        for (path, item) in paths {
            let is_oauth = OAUTH.contains(&path.as_str());
            for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
                complete_operation(operation, is_oauth);
            }
        }
    }
    document
}

fn add_components(document: &mut Value) {
    let components = member(document, "components");
    let ours: Value = serde_json::from_str(SCHEMAS).unwrap_or_default();
    for (name, schema) in ours.as_object().into_iter().flatten() {
        *member(member(components, "schemas"), name) = schema.clone();
    }
    *member(components, "securitySchemes") = json!({
        "bearer": {
            "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
            "description": "An access token (RFC 9068) for the audience `gatelog`",
        },
        "service": {
            "type": "http", "scheme": "bearer",
            "description": "The secret that the services of one installation share",
        },
        "client": {
            "type": "http", "scheme": "basic",
            "description": "A client's id and secret, each form-url-encoded (RFC 6749 §2.3.1); in the form instead, or \
                an assertion signed by the client (RFC 7523)",
        },
    });
    *member(member(components, "headers"), "RequestId") = json!({
        "description": "Finds the events of this request",
        "schema": { "type": "string", "maxLength": 128 },
    });
}

fn complete_operation(operation: &mut Value, is_oauth: bool) {
    let takes_body = operation.get("requestBody").is_some();
    let is_bearer = operation
        .get("security")
        .and_then(Value::as_array)
        .is_some_and(|ways| ways.iter().any(|way| way.get("bearer").is_some()));
    let Some(responses) = member(operation, "responses").as_object_mut() else {
        return;
    };
    let body_errors = BODY_ERRORS.iter().filter(|_| takes_body && !is_oauth);
    let bearer_errors = BEARER_ERRORS.iter().filter(|_| is_bearer);
    for (status, description) in body_errors.chain(bearer_errors) {
        responses
            .entry(*status)
            .or_insert_with(|| json!({ "description": description }));
    }
    responses
        .entry("default")
        .or_insert_with(|| json!({ "description": "An error; 429 and 503 say when to come back." }));
    for (status, response) in responses {
        complete_response(status, response, is_oauth);
    }
}

fn complete_response(status: &str, response: &mut Value, is_oauth: bool) {
    *member(member(response, "headers"), "X-Request-Id") =
        json!({ "$ref": "#/components/headers/RequestId" });
    let is_error = status == "default" || status.starts_with(['4', '5']);
    if !is_error || response.get("content").is_some() {
        return;
    }
    let (media_type, schema) = if is_oauth {
        ("application/json", "OAuthError")
    } else {
        ("application/problem+json", "Problem")
    };
    let schema = json!({ "$ref": format!("#/components/schemas/{schema}") });
    *member(response, "content") = json!({ media_type: { "schema": schema } });
}

/// A member of an object, which is made if it is not there; so is the object.
fn member<'v>(value: &'v mut Value, name: &str) -> &'v mut Value {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(members) => members.entry(name).or_insert(Value::Null),
        other => other,
    }
}
