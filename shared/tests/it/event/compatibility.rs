//! Compares two schemas of the event: what of the new one would break readers or stored events of the old one.
//!
//! Enumerations are closed on both sides: a reader refuses a value it does not know, so that a new one breaks it as
//! much as a removed one breaks stored events.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::committed_schema;

/// Keywords that narrow or widen what a value may be. Whether one pattern includes another cannot be told in general,
/// so that any difference counts.
const BOUNDS: [&str; 8] = [
    "const",
    "pattern",
    "format",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "additionalProperties",
];

/// What breaks, one line each, with the JSON pointer of the place.
pub(super) fn incompatibilities(old: &Value, new: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(&(old, old), &(new, new), "", &mut found);
    found
}

/// A schema within its root, which its references point into.
type Place<'s> = (&'s Value, &'s Value);

fn resolve<'s>((root, schema): &Place<'s>) -> Place<'s> {
    match schema["$ref"].as_str() {
        Some(reference) => (root, &root[&"$defs"][reference.trim_start_matches("#/$defs/")]),
        None => (root, schema),
    }
}

fn compare(old: &Place<'_>, new: &Place<'_>, path: &str, found: &mut Vec<String>) {
    let (old, new) = (resolve(old), resolve(new));
    let mut say = |what: String| found.push(format!("{path}: {what}"));
    if types(old.1) != types(new.1) {
        say(format!("its type was {} and is {}", old.1["type"], new.1["type"]));
    }
    for bound in BOUNDS {
        if old.1.get(bound) != new.1.get(bound) {
            say(format!("{bound} was {} and is {}", old.1[bound], new.1[bound]));
        }
    }
    let (old_values, new_values) = (values(old.1), values(new.1));
    for value in old_values.symmetric_difference(&new_values) {
        say(format!("the value {value} is new or gone"));
    }
    compare_properties(&old, &new, path, found);
    compare_parts(&old, &new, path, found);
}

fn compare_properties(old: &Place<'_>, new: &Place<'_>, path: &str, found: &mut Vec<String>) {
    let (was_required, is_required) = (names(&old.1["required"]), names(&new.1["required"]));
    for name in was_required.symmetric_difference(&is_required) {
        found.push(format!("{path}/{name}: it is required by one of both only"));
    }
    for (name, property) in old.1["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{name}");
        match new.1["properties"].get(name) {
            None => found.push(format!("{path}: it is gone")),
            Some(changed) => compare(&(old.0, property), &(new.0, changed), &path, found),
        }
    }
}

fn compare_parts(old: &Place<'_>, new: &Place<'_>, path: &str, found: &mut Vec<String>) {
    let (old_choices, new_choices) = (choices(old.1), choices(new.1));
    if old_choices.len() != new_choices.len() {
        found.push(format!("{path}: it has other alternatives"));
    }
    for (old_choice, new_choice) in old_choices.iter().zip(new_choices) {
        compare(&(old.0, old_choice), &(new.0, new_choice), path, found);
    }
    if let (Some(old_items), Some(new_items)) = (old.1.get("items"), new.1.get("items")) {
        compare(
            &(old.0, old_items),
            &(new.0, new_items),
            &format!("{path}/*"),
            found,
        );
    }
}

fn types(schema: &Value) -> BTreeSet<&str> {
    match &schema["type"] {
        Value::String(one) => BTreeSet::from([one.as_str()]),
        many => names(many),
    }
}

fn names(list: &Value) -> BTreeSet<&str> {
    list.as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect()
}

fn choices(schema: &Value) -> &[Value] {
    schema["anyOf"].as_array().map_or(&[], Vec::as_slice)
}

/// The values of an enumeration, written as `enum` or as one `const` with its description each.
fn values(schema: &Value) -> BTreeSet<String> {
    let listed = schema["enum"].as_array().into_iter().flatten();
    let described = schema["oneOf"].as_array().into_iter().flatten();
    let described = described.flat_map(|choice| {
        let one = choice.get("const").into_iter();
        one.chain(choice["enum"].as_array().into_iter().flatten())
    });
    listed.chain(described).map(Value::to_string).collect()
}

/// The committed schema with one change, which must be found at `pointer`'s place and nowhere else.
fn changed(pointer: &str, change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut schema = committed_schema();
    change(
        schema
            .pointer_mut(pointer)
            .unwrap_or_else(|| panic!("{pointer} is not in the schema")),
    );
    incompatibilities(&committed_schema(), &schema)
}

fn remove(name: &str) -> impl FnOnce(&mut Value) {
    move |value| assert!(value.as_object_mut().unwrap().remove(name).is_some())
}

#[test]
fn an_unchanged_schema_is_compatible() {
    assert_eq!(changed("", |_| ()), [""; 0]);
}

#[test]
fn a_new_optional_property_is_compatible() {
    let found = changed("/$defs/HttpFacts/properties", |properties| {
        properties["scheme"] = json!({"type": ["string", "null"]});
    });

    assert_eq!(found, [""; 0]);
}

#[test]
fn another_description_is_compatible() {
    assert_eq!(
        changed("", |schema| schema["description"] = json!("other")),
        [""; 0]
    );
}

#[test]
fn a_removed_property_is_found() {
    let found = changed("/$defs/HttpFacts/properties", remove("status"));

    assert_eq!(found, ["/data/http/status: it is gone"]);
}

#[test]
fn a_changed_type_is_found() {
    let found = changed("/$defs/TokenFacts/properties/age_s", |age| {
        age["type"] = json!("string");
    });

    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("/data/token/age_s: its type was"),
        "{found:?}"
    );
}

#[test]
fn a_changed_type_of_a_list_s_items_is_found() {
    let found = changed("/$defs/Actor/properties/roles/items", |items| {
        items["type"] = json!("integer");
    });

    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("/data/actor/roles/*: its type was"),
        "{found:?}"
    );
}

#[test]
fn a_property_that_becomes_required_or_optional_is_found() {
    let required = changed("/$defs/Facts/required", |required| {
        required.as_array_mut().unwrap().push(json!("reason"));
    });
    let optional = changed("/$defs/Facts/required", |required| {
        required.as_array_mut().unwrap().retain(|name| name != "outcome");
    });

    assert_eq!(required, ["/data/reason: it is required by one of both only"]);
    assert_eq!(optional, ["/data/outcome: it is required by one of both only"]);
}

#[test]
fn a_new_required_property_is_found() {
    let found = changed("/$defs/TraceFacts", |trace| {
        trace["properties"]["span"] = json!({"type": "string"});
        trace["required"].as_array_mut().unwrap().push(json!("span"));
    });

    assert_eq!(found, ["/data/trace/span: it is required by one of both only"]);
}

#[test]
fn a_removed_or_added_value_of_an_enumeration_is_found() {
    let removed = changed("/$defs/Outcome/oneOf", |values| {
        values
            .as_array_mut()
            .unwrap()
            .retain(|value| value["const"] != "denied");
    });
    let added = changed("/$defs/Class/oneOf", |values| {
        values
            .as_array_mut()
            .unwrap()
            .push(json!({"type": "string", "const": "billing"}));
    });

    assert_eq!(removed, ["/data/outcome: the value \"denied\" is new or gone"]);
    assert_eq!(added, ["/data/class: the value \"billing\" is new or gone"]);
}

#[test]
fn a_changed_pattern_bound_or_constant_is_found() {
    for (pointer, keyword, value) in [
        ("/properties/sequence", "pattern", json!("^[1-9]$")),
        ("/properties/type", "pattern", json!("^gatelog\\.access\\.v1$")),
        ("/properties/specversion", "const", json!("1.1")),
        ("/$defs/HttpFacts/properties/status", "maximum", json!(599)),
        ("/$defs/TraceFacts/properties/request_id", "maxLength", json!(36)),
    ] {
        let found = changed(pointer, |schema| schema[keyword] = value);

        assert_eq!(found.len(), 1, "{pointer} {keyword}: {found:?}");
        assert!(found[0].contains(keyword), "{found:?}");
    }
}
