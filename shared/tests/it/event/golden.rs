//! Golden files: events as version 1 was published. They are added to and never edited.

use std::collections::BTreeSet;

use serde_json::Value;
use shared::event::{Class, wire};

use super::{against_schema, committed_schema, shared_path};

/// Every golden file by name, without the line feed at its end.
fn golden_files() -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(shared_path("tests/golden")).unwrap();
    let mut files: Vec<_> = entries
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap().trim_ascii_end().to_vec())
        })
        .collect();
    files.sort();
    files
}

/// The file that came with each optional member that version 1 has grown since.
const GROWN: [(&str, &str); 1] = [("/data/reporter", "access-reported.v1.json")];

#[test]
fn every_class_has_a_full_and_a_minimal_golden_file_and_so_has_each_later_member() {
    let names: BTreeSet<_> = golden_files().into_iter().map(|(name, _)| name).collect();

    let classes = Class::ALL.map(|class| [format!("{class}.v1.json"), format!("{class}-minimal.v1.json")]);
    let grown = GROWN.map(|(_, name)| name.to_owned());

    assert_eq!(names, classes.into_iter().flatten().chain(grown).collect());
}

#[test]
fn a_golden_file_is_read_and_written_back_byte_for_byte() {
    for (name, bytes) in golden_files() {
        let event = wire::decode(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));

        let written = wire::encode(&event).unwrap();

        assert_eq!(
            String::from_utf8(written),
            String::from_utf8(bytes),
            "{name} was published so"
        );
        assert!(name.starts_with(event.facts.class.as_str()), "{name}");
    }
}

#[test]
fn a_golden_file_follows_the_schema() {
    for (name, bytes) in golden_files() {
        assert_eq!(against_schema(&bytes), [""; 0], "{name}");
    }
}

#[test]
fn a_full_golden_file_fills_every_field_of_the_schema() {
    let schema = committed_schema();
    let expected = properties(&schema, &schema, "");
    assert!(expected.contains("/data/http/response_bytes"), "{expected:?}");
    for (name, bytes) in golden_files() {
        if name.contains("minimal") {
            continue;
        }
        let event: Value = serde_json::from_slice(&bytes).unwrap();

        // What grew later is in the file that came with it.
        let is_later = |path: &str| {
            GROWN
                .iter()
                .any(|(grown, file)| path.starts_with(grown) && name != *file)
        };
        let missing: Vec<_> = expected
            .iter()
            .filter(|path| !is_later(path) && event.pointer(path).is_none())
            .collect();

        assert!(missing.is_empty(), "{name} lacks {missing:?}");
    }
}

/// The JSON pointers of all properties that `schema` names.
fn properties(root: &Value, schema: &Value, path: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        found.extend(properties(root, target, path));
    }
    for choice in schema["anyOf"].as_array().into_iter().flatten() {
        found.extend(properties(root, choice, path));
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        found.extend(properties(root, property, &path));
        found.insert(path);
    }
    found
}
