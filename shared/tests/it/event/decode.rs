//! What the decoder accepts beyond golden files, and every reason for which it refuses.

use serde_json::{Value, json};
use shared::event::Event;
use shared::event::wire::{self, BYTES_MAX, DecodeError, EncodeError};

const GOLDEN: &str = include_str!("../../golden/access.v1.json");

/// The golden event after `change`.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Event, DecodeError> {
    let mut event: Value = serde_json::from_str(GOLDEN).unwrap();
    change(&mut event);
    wire::decode(event.to_string().as_bytes())
}

/// The code of the refusal after the member at `pointer` was set.
fn refusal(pointer: &str, value: Value) -> &'static str {
    let result = changed(|event| *event.pointer_mut(pointer).unwrap() = value);
    result.err().map_or("accepted", |error| error.code())
}

#[test]
fn an_old_reader_ignores_members_that_it_does_not_know() {
    let known = wire::decode(GOLDEN.trim_end().as_bytes()).unwrap();

    let with_more = changed(|event| {
        event["partitionkey"] = json!("new");
        event["data"]["billing"] = json!({"cents": 1});
        event["data"]["http"]["scheme"] = json!("https");
        event["data"]["actor"]["tenant"] = json!(["a"]);
    });

    assert_eq!(with_more.unwrap(), known);
}

#[test]
fn null_is_absent() {
    let event = changed(|event| event["data"]["http"] = Value::Null).unwrap();

    assert_eq!(event.facts.http, None);
}

#[test]
fn an_event_is_as_large_as_it_may_be_and_not_larger() {
    let padded = |length: usize| {
        let mut bytes = GOLDEN.trim_end().as_bytes().to_vec();
        bytes.resize(length, b' ');
        wire::decode(&bytes)
    };

    assert!(padded(BYTES_MAX).is_ok());
    assert_eq!(padded(BYTES_MAX + 1).unwrap_err().code(), "oversized");
}

#[test]
fn an_event_that_no_reader_would_take_is_not_written() {
    let mut event = wire::decode(GOLDEN.trim_end().as_bytes()).unwrap();
    event.facts = event.facts.with_detail("much", "x".repeat(BYTES_MAX));

    assert!(matches!(wire::encode(&event), Err(EncodeError::Oversized(size)) if size > BYTES_MAX));
}

#[test]
fn what_is_no_event_is_malformed() {
    for bytes in [
        &b""[..],
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b"{}",
        b"\xef\xbb\xbf{}",
    ] {
        assert_eq!(wire::decode(bytes).unwrap_err().code(), "malformed", "{bytes:?}");
    }
    for (pointer, value) in [
        ("/id", json!("not a uuid")),
        ("/time", json!("yesterday")),
        ("/time", json!(1_700_000_000)),
        ("/time", json!("2023-11-14T22:13:20")),
        ("/sequence", json!(7)),
        ("/data", json!("text")),
        ("/data", Value::Null),
        ("/data/class", json!("billing")),
        ("/data/outcome", json!("GRANTED")),
        ("/data/action", Value::Null),
        ("/data/http/status", json!(65_536)),
        ("/data/http/status", json!("200")),
        ("/data/http/request_bytes", json!(-1)),
        ("/data/actor/roles", json!("clerk")),
        ("/data/detail", json!([])),
    ] {
        assert_eq!(
            refusal(pointer, value.clone()),
            "malformed",
            "{pointer} = {value}"
        );
    }
}

#[test]
fn deep_nesting_is_malformed_and_overflows_no_stack() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    let text = GOLDEN.replace(r#""intent":true"#, &format!(r#""intent":{deep}"#));

    assert_eq!(wire::decode(text.as_bytes()).unwrap_err().code(), "malformed");
}

#[test]
fn a_member_that_stands_twice_is_malformed() {
    for (once, twice) in [
        (r#""sequence":"7""#, r#""sequence":"7","sequence":"8""#),
        (r#""status":201"#, r#""status":201,"status":403"#),
        (
            r#""outcome":"granted""#,
            r#""outcome":"granted","outcome":"denied""#,
        ),
    ] {
        assert!(GOLDEN.contains(once), "{once}");
        let text = GOLDEN.replace(once, twice);

        assert_eq!(
            wire::decode(text.as_bytes()).unwrap_err().code(),
            "malformed",
            "{twice}"
        );
    }
}

#[test]
fn another_version_is_unknown() {
    for (pointer, value) in [
        ("/specversion", json!("0.3")),
        ("/datacontenttype", json!("text/xml")),
        ("/type", json!("gatelog.access.v2")),
        ("/type", json!("gatelog.access.v01")),
        ("/type", json!("gatelog.access.v")),
        ("/type", json!("gatelog.access")),
        ("/type", json!("com.example.access.v1")),
        ("/type", json!("Gatelog.access.v1")),
    ] {
        assert_eq!(
            refusal(pointer, value.clone()),
            "unknown_version",
            "{pointer} = {value}"
        );
    }
}

#[test]
fn a_type_of_another_class_is_a_mismatch() {
    assert_eq!(refusal("/type", json!("gatelog.auth.v1")), "class_mismatch");
    assert_eq!(refusal("/data/class", json!("auth")), "class_mismatch");
}

#[test]
fn a_source_of_another_form_is_malformed() {
    let boot = "6f1c0a2e-5b1d-4c57-9a34-0d6a4f0e9b11";
    for source in [
        String::new(),
        "api-service/a/".to_owned() + boot,
        "/api-service/a".to_owned(),
        format!("/api-service/a/{boot}/more"),
        format!("/api-service//{boot}"),
        format!("/api service/a/{boot}"),
        format!("/api-service/ä/{boot}"),
        format!("/{}/a/{boot}", "s".repeat(65)),
        format!("/api-service/{}/{boot}", "i".repeat(129)),
        "/api-service/a/nonsense".to_owned(),
        format!("/api-service/a/{}", boot.to_uppercase()),
        format!("/api-service/a/{}", boot.replace('-', "")),
        format!("/api-service/a/{{{boot}}}"),
    ] {
        assert_eq!(refusal("/source", json!(source)), "malformed_source", "{source}");
    }
}

#[test]
fn a_number_is_decimal_positive_and_fits_into_sql() {
    for sequence in ["0", "-1", "+7", "07", " 7", "7.0", "", "x", "9223372036854775808"] {
        assert_eq!(
            refusal("/sequence", json!(sequence)),
            "malformed_sequence",
            "{sequence}"
        );
    }
    assert_eq!(refusal("/sequence", json!("9223372036854775807")), "accepted");
}

#[test]
fn an_id_without_a_time_in_it_is_refused() {
    assert_eq!(
        refusal("/id", json!("6f1c0a2e-5b1d-4c57-9a34-0d6a4f0e9b11")),
        "id_version"
    );
}

#[test]
fn a_refusal_quotes_nothing_of_what_was_sent() {
    let secret = "hunter2";
    for pointer in [
        "/id",
        "/time",
        "/type",
        "/source",
        "/sequence",
        "/data/class",
        "/data/http/status",
    ] {
        let error = changed(|event| *event.pointer_mut(pointer).unwrap() = json!(secret)).unwrap_err();

        assert!(!error.to_string().contains(secret), "{pointer}: {error}");
    }
}

#[test]
fn bytes_that_are_no_event_may_still_say_whose_number_they_are() {
    let golden: Value = serde_json::from_str(GOLDEN).unwrap();
    let event = wire::decode(GOLDEN.trim_end().as_bytes()).unwrap();
    let numbering = |change: &dyn Fn(&mut Value)| {
        let mut changed = golden.clone();
        change(&mut changed);
        wire::numbering(changed.to_string().as_bytes())
    };

    let of_another_version = numbering(&|event| event["type"] = json!("gatelog.access.v9"));
    let without_data = numbering(&|event| event["data"] = json!(["\u{0}"]));

    let expected = Some((event.source, event.seq));
    assert_eq!([&of_another_version, &without_data], [&expected, &expected]);
    assert_eq!(numbering(&|event| event["sequence"] = json!("-1")), None);
    assert_eq!(numbering(&|event| event["sequence"] = json!(1)), None);
    assert_eq!(numbering(&|event| event["source"] = json!("/a/b")), None);
    assert_eq!(wire::numbering(b"\xff"), None);
    assert_eq!(wire::numbering("[".repeat(100_000).as_bytes()), None);
    assert_eq!(wire::numbering(&vec![b' '; 2_000_000]), None);
    let twice = GOLDEN.replacen("\"sequence\":", "\"sequence\":\"7\",\"sequence\":", 1);
    assert_eq!(wire::numbering(twice.as_bytes()), None);
}
