//! Rules: what is looked for, why, and how it is told. Pure, but for the reading of their files.

mod compile;
mod condition;
mod correlation;
mod disguise;
mod duration;
mod file;
mod lists;
mod matcher;
mod set;
mod suppression;
mod trial;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::field::{Field, Seen};
use crate::response::{Action, Order};
pub use condition::Condition;
pub use lists::Lists;
pub use set::{InvalidRules, RuleProblem, RuleSet, RuleSource};
pub use suppression::Suppression;
pub use trial::{Failure, Trial};

/// The longest window. What must be remembered for longer is kept in the database ([`Habit`]).
pub const TIMESPAN_MAX: Duration = Duration::from_hours(24);

/// A rule, ready to be used.
#[derive(Debug)]
pub struct Rule {
    /// What it is called by programs, for ever.
    pub id: Arc<str>,
    /// What it is called by people.
    pub title: String,
    /// What it means when it fires, and why that is worth a look.
    pub description: String,
    /// How bad it is.
    pub severity: Severity,
    /// Whether it is told.
    pub status: Status,
    /// What else makes it fire.
    pub falsepositives: Vec<String>,
    /// Where its idea and its numbers come from.
    pub references: Vec<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The first twelve hexadecimal digits of the SHA-256 of its text: alerts name it, so that they can be repeated.
    pub version: String,
    /// The file it is from.
    pub file: String,
    /// The line of its id there.
    pub line: u64,
    /// Its text.
    pub source: String,
    /// What is looked for.
    pub pattern: Pattern,
    /// Who or what an alert is about: events of different values have nothing to do with each other.
    pub group_by: Vec<Field>,
    /// What it orders when it fires: orders about the values of its group.
    pub respond: Vec<Respond>,
    /// The period in which a group has one alert at most.
    pub repeat: Duration,
    /// What it must find and what not.
    pub trials: Vec<Trial>,
}

/// Something that a rule orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Respond {
    /// What is to be done.
    pub action: Action,
    /// Which value of the group says to whom.
    pub place: usize,
    /// For how long, if not as usual.
    pub lifetime: Option<Duration>,
    /// Whether it is only kept that it would be done.
    pub is_dry_run: bool,
}

/// How bad it is if a rule fires rightly.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing to do; good to know.
    Info,
    /// To be looked at some time.
    Low,
    /// To be looked at today.
    Medium,
    /// To be looked at at once.
    High,
    /// Somebody is in who should not be.
    Critical,
}

impl Severity {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// Whether a rule is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Its alerts are told.
    #[default]
    Live,
    /// Its alerts are kept to be looked at, and told to nobody.
    Shadow,
}

/// What a rule looks for in the events of one group.
#[derive(Debug)]
pub enum Pattern {
    /// Bounds on what the events of a sliding window add up to.
    Window(Window),
    /// Events in an order.
    Ordered(Ordered),
    /// An event without the one that must go with it.
    Missing(Missing),
    /// Two places too far apart for the time between.
    Travel(Travel),
    /// A break with what was usual for long.
    Habit(Habit),
}

/// Bounds that must all hold of the events in the `timespan` that ends with the last of them.
#[derive(Debug)]
pub struct Window {
    /// Which events count.
    pub filter: Condition,
    /// How long the window is; zero for a single event.
    pub timespan: Duration,
    /// How many happenings an event tells of; 1 if it does not say.
    pub weight: Option<Field>,
    /// What is added up.
    pub sum: Option<Field>,
    /// Whose distinct values are counted.
    pub values: Vec<Field>,
    /// Whose share is taken.
    pub marks: Vec<Condition>,
    /// The bounds.
    pub bounds: Vec<Bound>,
}

/// A bound on a measure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// What is measured.
    pub measure: Measure,
    /// The least that it may be.
    pub least: f64,
    /// The most that it may be.
    pub most: f64,
}

/// What is measured of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Events, by their weight.
    Events,
    /// Different values of a field, by its place in [`Window::values`].
    Values(usize),
    /// The events of the most frequent value of a field.
    MostOfOneValue(usize),
    /// What a field adds up to.
    Sum,
    /// The share of events that have a mark, by its place in [`Window::marks`].
    Share(usize),
}

/// Steps in an order, all within `timespan` before the last.
#[derive(Debug)]
pub struct Ordered {
    /// What is looked for, and how many of it.
    pub steps: Vec<(Condition, u64)>,
    /// How long it may take.
    pub timespan: Duration,
    /// How many happenings an event tells of; 1 if it does not say.
    pub weight: Option<Field>,
}

/// A subject without a partner of the same group.
#[derive(Debug)]
pub struct Missing {
    /// What must not be alone.
    pub subject: Condition,
    /// What must go with it.
    pub partner: Condition,
    /// How long before the subject the partner may have happened.
    pub timespan: Duration,
    /// How much later than the subject the partner may happen or be stored.
    pub wait: Duration,
}

/// Two events of a group in a row, whose places are far apart.
#[derive(Debug)]
pub struct Travel {
    /// Which events count.
    pub filter: Condition,
    /// How much later the second may be.
    pub timespan: Duration,
    /// Kilometres that they are apart at least.
    pub distance_km: f64,
    /// The speed that this takes, in kilometres an hour, at least.
    pub speed_kmh: f64,
}

/// What was usual for longer than windows reach; kept in the database, one row for each group.
#[derive(Debug)]
pub struct Habit {
    /// Which events count.
    pub filter: Condition,
    /// What is out of the ordinary.
    pub break_of: HabitBreak,
}

/// A break with a habit.
#[derive(Debug)]
pub enum HabitBreak {
    /// A value that the group has not had for so many days, once the group is known for some.
    NewValue {
        /// Whose value.
        field: Field,
        /// Days after which a value is forgotten.
        days: i64,
        /// Days for which a group must be known.
        learning_days: i64,
    },
    /// The group itself was silent for more than so many days.
    Return {
        /// The days.
        days: i64,
    },
    /// An hour that adds up to more than the floor and to a multiple of the highest hour on days before.
    Volume {
        /// What is added up; events if absent.
        field: Option<Field>,
        /// The least that counts.
        floor: u64,
        /// The multiple.
        factor: f64,
        /// Days that are looked back.
        days: i64,
    },
}

impl Rule {
    /// What it orders about a group, and whether only for a trial. What the group has no sensible value for is left out.
    pub(crate) fn orders(&self, group: &[String]) -> Vec<(Order, bool)> {
        let order = |respond: &Respond| {
            let value = group.get(respond.place)?;
            let order = Order::new(respond.action, value, respond.lifetime).ok()?;
            Some((order, respond.is_dry_run))
        };
        self.respond.iter().filter_map(order).collect()
    }

    /// The names of the fields of its groups. A new value is one of them.
    pub fn group_names(&self) -> Vec<String> {
        let new = match &self.pattern {
            Pattern::Habit(Habit {
                break_of: HabitBreak::NewValue { field, .. },
                ..
            }) => Some(field),
            _ => None,
        };
        self.group_by.iter().chain(new).map(Field::name).collect()
    }

    /// The group that an event belongs to, if it has all the fields for it.
    pub fn group(&self, seen: &Seen<'_>) -> Option<Vec<String>> {
        self.group_by
            .iter()
            .map(|field| {
                Some(shared::event::bounded(
                    &field.value(seen)?.into_text(),
                    GROUP_BYTES_MAX,
                ))
            })
            .collect()
    }
}

impl Pattern {
    /// How long an event matters after it happened.
    pub const fn timespan(&self) -> Duration {
        match self {
            Self::Window(window) => window.timespan,
            Self::Ordered(ordered) => ordered.timespan,
            Self::Missing(missing) => missing.timespan,
            Self::Travel(travel) => travel.timespan,
            Self::Habit(_) => Duration::ZERO,
        }
    }
}

/// The longest value of a group's field, in bytes; part of the alert's fingerprint.
const GROUP_BYTES_MAX: usize = 256;
