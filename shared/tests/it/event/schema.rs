//! The committed JSON Schema is what the code generates, and the generated one is compatible with the committed.

use serde_json::Value;
use shared::event::wire;

use super::compatibility::incompatibilities;
use super::{committed_schema, shared_path};

/// Where the schema of version 1 is committed.
pub(super) const PATH: &str = "schema/event.v1.schema.json";

/// Set to write the schema anew after a compatible change.
const UPDATE: &str = "UPDATE_SCHEMA";

fn generated_schema() -> Value {
    serde_json::to_value(wire::json_schema()).unwrap()
}

#[test]
fn the_generated_schema_breaks_no_reader_of_the_committed_one() {
    let broken = incompatibilities(&committed_schema(), &generated_schema());

    assert!(
        broken.is_empty(),
        "version 1 is published and never changes; this needs a version 2 (shared/CHANGELOG.md):\n{}",
        broken.join("\n")
    );
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the variable is for whoever runs the tests, and no setting"
)]
fn the_committed_schema_is_what_the_code_generates() {
    let mut generated = serde_json::to_string_pretty(&generated_schema()).unwrap();
    generated.push('\n');
    let path = shared_path(PATH);
    let is_compatible = incompatibilities(&committed_schema(), &generated_schema()).is_empty();
    if std::env::var_os(UPDATE).is_some() && is_compatible {
        std::fs::write(&path, &generated).unwrap();
    }

    let committed = std::fs::read_to_string(&path).unwrap();

    assert_eq!(
        committed, generated,
        "after a compatible change run {UPDATE}=1 cargo test -p shared schema"
    );
}
