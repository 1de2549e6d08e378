//! Alerts as readers get them. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;
use uuid::Uuid;

use super::{AlertStatus, Verdict};

/// One page of alerts.
#[derive(Clone, Debug, Serialize)]
pub struct AlertPage {
    /// The alerts, the last raised first.
    pub alerts: Vec<AlertBody>,
    /// What to give as `cursor` for the next page; null on the last.
    pub next_cursor: Option<String>,
}

/// An alert.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AlertBody {
    /// Made of the rule, the group and the beginning of the period.
    pub fingerprint: String,
    /// The rule's id.
    pub rule: String,
    /// The version of the rule that found it first.
    pub rule_version: String,
    /// The rule's title.
    pub title: String,
    /// `info`, `low`, `medium`, `high` or `critical`.
    pub severity: String,
    /// Whom or what it is about: fields and their values.
    pub group: serde_json::Map<String, serde_json::Value>,
    /// The beginning of the period in which the group has one alert of the rule at most.
    pub window_start: UtcMicros,
    /// When the first event happened that the rule fires with.
    pub fired_at: UtcMicros,
    /// When the first event happened that it stands on.
    pub since: UtcMicros,
    /// When the last event happened that the rule fires with.
    pub until: UtcMicros,
    /// The highest value of what the rule measures.
    pub value: f64,
    /// The events with which the rule fired first, the last of them if they are many.
    pub evidence: Vec<Uuid>,
    /// When it was found; or, if it was told to nobody then, when it was first told.
    pub raised_at: UtcMicros,
    /// When it last changed.
    pub updated_at: UtcMicros,
    /// When late events took its ground away; absent if it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withdrawn_at: Option<UtcMicros>,
    /// Whether its rule is only being tried, so that it is told to nobody.
    pub shadow: bool,
    /// Why it is told to nobody; absent if it is told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suppressed: Option<String>,
    /// How far it is dealt with.
    pub status: AlertStatus,
    /// What it turned out to be, once it is closed.
    pub verdict: Option<Verdict>,
    /// Who looks after it.
    pub assignee: Option<String>,
    /// How often people changed it: what `If-Match` asks for.
    pub revision: i64,
}
