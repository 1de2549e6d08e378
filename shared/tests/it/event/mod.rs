//! The event contract: golden files, the JSON Schema, and what a change to it may do.

mod actions;
mod any;
mod compatibility;
mod decode;
mod golden;
mod schema;

use std::path::PathBuf;

use serde_json::Value;

fn shared_path(relative: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(relative)
}

/// The schema as it was published.
fn committed_schema() -> Value {
    let text = std::fs::read_to_string(shared_path(schema::PATH)).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// What of `event` is against the published schema.
fn against_schema(event: &[u8]) -> Vec<String> {
    let validator = jsonschema::options()
        .should_validate_formats(true)
        .build(&committed_schema())
        .unwrap();
    let event = serde_json::from_slice(event).unwrap();
    validator
        .iter_errors(&event)
        .map(|error| error.to_string())
        .collect()
}
