//! A rule as its file has it: YAML, every member known, with the lines they stand on. Pure.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::{Severity, Status};
use crate::response::Action;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RuleFile {
    pub(super) id: Spanned<String>,
    pub(super) title: Spanned<String>,
    pub(super) description: Spanned<String>,
    pub(super) severity: Severity,
    #[serde(default)]
    pub(super) status: Status,
    #[serde(default)]
    pub(super) falsepositives: Vec<String>,
    #[serde(default)]
    pub(super) references: Vec<String>,
    #[serde(default)]
    pub(super) tags: Vec<String>,
    pub(super) detection: DetectionFile,
    pub(super) correlation: CorrelationFile,
    pub(super) repeat: Option<Spanned<String>>,
    #[serde(default)]
    pub(super) respond: Vec<Spanned<RespondFile>>,
    pub(super) tests: Spanned<Vec<TestFile>>,
}

/// Something that the rule orders.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RespondFile {
    pub(super) action: Action,
    pub(super) r#for: Option<String>,
    #[serde(default)]
    pub(super) dry_run: bool,
}

/// Selections by name, and the condition that joins them.
#[derive(Debug)]
pub(super) struct DetectionFile {
    pub(super) selections: Vec<(String, BTreeMap<String, Spanned<Json>>)>,
    pub(super) condition: Spanned<String>,
}

/// What is made of the events of a group. Which members go with which type is checked when the rule is compiled.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(super) struct CorrelationFile {
    pub(super) r#type: Spanned<String>,
    pub(super) group_by: Spanned<Vec<Spanned<String>>>,
    pub(super) timespan: Option<Spanned<String>>,
    pub(super) weight: Option<Spanned<String>>,
    pub(super) condition: Option<Spanned<BoundFile>>,
    #[serde(default)]
    pub(super) also: Vec<Spanned<BoundFile>>,
    #[serde(default)]
    pub(super) order: Vec<Spanned<StepFile>>,
    pub(super) partner: Option<Spanned<String>>,
    pub(super) wait: Option<Spanned<String>>,
    pub(super) distance_km: Option<Spanned<f64>>,
    pub(super) speed_kmh: Option<Spanned<f64>>,
    pub(super) field: Option<Spanned<String>>,
    pub(super) days: Option<Spanned<i64>>,
    pub(super) learning_days: Option<Spanned<i64>>,
    pub(super) floor: Option<Spanned<u64>>,
    pub(super) factor: Option<Spanned<f64>>,
}

/// A bound on a measure. Within `also` it names its type.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BoundFile {
    pub(super) r#type: Option<String>,
    pub(super) field: Option<String>,
    pub(super) of: Option<String>,
    pub(super) gte: Option<f64>,
    pub(super) lte: Option<f64>,
}

/// A step of an order.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    pub(super) selection: String,
    #[serde(default = "once")]
    pub(super) gte: u64,
}

const fn once() -> u64 {
    1
}

/// A test: events, and the groups that must be told.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TestFile {
    pub(super) name: String,
    pub(super) events: Vec<Spanned<BTreeMap<String, Json>>>,
    /// Each alert as the values of its group.
    pub(super) alerts: Vec<Vec<String>>,
    /// What stands in the lists that the rule names; in a test all others are empty.
    #[serde(default)]
    pub(super) lists: BTreeMap<String, Vec<Json>>,
    /// Where addresses are, for rules that ask.
    #[serde(default)]
    pub(super) places: BTreeMap<String, PlaceFile>,
}

/// A place, for tests.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceFile {
    pub(super) country: Option<String>,
    pub(super) north: Option<f64>,
    pub(super) east: Option<f64>,
    pub(super) asn: Option<u32>,
}

impl<'de> Deserialize<'de> for DetectionFile {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = DetectionFile;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("selections and a condition")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<DetectionFile, A::Error> {
                let (mut selections, mut condition) = (Vec::new(), None);
                while let Some(name) = map.next_key::<String>()? {
                    if name == "condition" {
                        condition = Some(map.next_value()?);
                    } else {
                        selections.push((name, map.next_value()?));
                    }
                }
                Ok(DetectionFile {
                    selections,
                    condition: condition.ok_or_else(|| A::Error::missing_field("condition"))?,
                })
            }
        }
        deserializer.deserialize_map(Members)
    }
}
