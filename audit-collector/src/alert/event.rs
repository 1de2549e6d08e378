//! The event that tells of an alert. Pure: the same alert, the same event, whichever collector tells it.

use shared::clock::UtcMicros;
use shared::event::{Class, Draft, Facts, Outcome, action, stable_event_id};

use super::AlertBody;
use crate::detection::engine::Fingerprint;

/// The event of `alert`, for the spool.
pub fn draft(alert: &AlertBody) -> Draft {
    let facts = Facts::new(Class::Alert, action::ALERT_RAISED, Outcome::Success)
        .because(&alert.rule)
        .with_detail("fingerprint", alert.fingerprint.as_str())
        .with_detail("rule", alert.rule.as_str())
        .with_detail("title", alert.title.as_str())
        .with_detail("severity", alert.severity.as_str())
        .with_detail("group", alert.group.clone())
        .with_detail("window_start", alert.window_start.to_string());
    Draft {
        id: event_id(alert),
        time: alert.raised_at,
        facts,
    }
}

fn event_id(alert: &AlertBody) -> uuid::Uuid {
    let fingerprint = Fingerprint::parse(&alert.fingerprint).map_or([0; 16], |fingerprint| fingerprint.0);
    let mut rest = [0; 10];
    for (byte, known) in rest.iter_mut().zip(fingerprint) {
        *byte = known;
    }
    stable_event_id(UtcMicros::from_micros(alert.raised_at.as_micros()), &rest)
}
