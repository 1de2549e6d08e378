//! What both projections onto other schemas need. Pure.

use serde_json::Value;
use shared::event::Facts;

/// The same without members that are null or hold nothing.
pub(super) fn compact(value: Value) -> Value {
    match value {
        Value::Object(members) => Value::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, compact(value)))
                .filter(|(_, value)| !is_nothing(value))
                .collect(),
        ),
        Value::Array(values) => Value::Array(values.into_iter().map(compact).collect()),
        other => other,
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(members) => members.is_empty(),
        Value::Array(values) => values.is_empty(),
        _ => false,
    }
}

/// The ids of trace and span of a W3C trace context of version 00.
pub(super) fn trace_ids(facts: &Facts) -> (Option<&str>, Option<&str>) {
    let context = facts
        .trace
        .as_ref()
        .and_then(|trace| trace.traceparent.as_deref());
    let mut parts = context.into_iter().flat_map(|context| context.split('-')).skip(1);
    (
        parts.next().filter(|id| id.len() == 32),
        parts.next().filter(|id| id.len() == 16),
    )
}
