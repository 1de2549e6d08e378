//! What a rule makes of the events of a group: the `correlation` of its file → the pattern. Pure.

use std::time::Duration;

use serde_saphyr::Spanned;

use super::compile::Compiler;
use super::condition::Condition;
use super::file::{BoundFile, CorrelationFile};
use super::{Bound, Habit, HabitBreak, Measure, Missing, Ordered, Pattern, TIMESPAN_MAX, Travel, Window};
use crate::detection::engine::LATENESS;

/// Steps of an order, and shares of a window, at most: each event has a bit for each.
const MARKS_MAX: usize = 8;

/// Days that habits are remembered for at most.
const DAYS_MAX: i64 = 400;

/// Days that volumes are remembered for at most: there is a number for each of their hours.
const VOLUME_DAYS_MAX: i64 = 14;

impl Compiler<'_> {
    fn timespan(&mut self, correlation: &CorrelationFile) -> Option<Duration> {
        let text = self.needed("timespan", correlation.timespan.as_ref(), correlation)?;
        let timespan = self.duration(text)?;
        if timespan.is_zero() || timespan > TIMESPAN_MAX {
            self.problem(text, "a timespan is longer than nothing and at most 24h");
        }
        Some(timespan)
    }

    fn needed<'f, T>(
        &mut self,
        name: &str,
        value: Option<&'f T>,
        correlation: &CorrelationFile,
    ) -> Option<&'f T> {
        if value.is_none() {
            let of = &correlation.r#type;
            self.problem(of, format!("the type {} needs `{name}`", of.value));
        }
        value
    }

    pub(super) fn pattern(&mut self, filter: Condition, correlation: &CorrelationFile) -> Option<Pattern> {
        self.refuse_foreign_members(correlation);
        match correlation.r#type.value.as_str() {
            "event" => Some(Pattern::Window(Window {
                filter,
                timespan: Duration::ZERO,
                weight: None,
                sum: None,
                values: Vec::new(),
                marks: Vec::new(),
                bounds: Vec::new(),
            })),
            "event_count" | "value_count" | "value_sum" | "ratio" => {
                self.window(filter, correlation).map(Pattern::Window)
            }
            "temporal_ordered" => self.ordered(correlation).map(Pattern::Ordered),
            "missing" => self.missing(filter, correlation).map(Pattern::Missing),
            "travel" => self.travel(filter, correlation).map(Pattern::Travel),
            "new_value" | "return" | "volume" => self.habit(filter, correlation).map(Pattern::Habit),
            unknown => {
                let types = TYPES.map(|(name, _)| name).join(", ");
                self.problem(
                    &correlation.r#type,
                    format!("there is no type {unknown:?}; there are {types}"),
                );
                None
            }
        }
    }

    fn window(&mut self, filter: Condition, correlation: &CorrelationFile) -> Option<Window> {
        let timespan = self.timespan(correlation);
        let weight = correlation.weight.as_ref().map(|name| self.field(name));
        let mut window = Window {
            filter,
            timespan: timespan?,
            weight: weight.flatten(),
            sum: None,
            values: Vec::new(),
            marks: Vec::new(),
            bounds: Vec::new(),
        };
        let first = self.needed("condition", correlation.condition.as_ref(), correlation)?;
        self.bound(&mut window, &correlation.r#type.value, first);
        for bound in &correlation.also {
            let Some(of) = bound.value.r#type.clone() else {
                self.problem(bound, "a bound under `also` names its type");
                continue;
            };
            self.bound(&mut window, &of, bound);
        }
        Some(window)
    }

    fn bound(&mut self, window: &mut Window, of: &str, bound: &Spanned<BoundFile>) {
        let file = &bound.value;
        let measure = match of {
            "event_count" => Some(Measure::Events),
            "value_count" => self.value(window, bound).map(Measure::Values),
            "most_of_one_value" => self.value(window, bound).map(Measure::MostOfOneValue),
            "value_sum" => {
                let field = self.field_in(bound, file.field.as_ref());
                if window.sum.is_some() && window.sum != field {
                    self.problem(bound, "a rule sums one field");
                }
                window.sum = field;
                Some(Measure::Sum)
            }
            "ratio" => self.share(window, bound).map(Measure::Share),
            unknown => {
                self.problem(bound, format!("there is no measure {unknown:?}"));
                None
            }
        };
        self.check_bound(bound);
        if let Some(measure) = measure {
            window.bounds.push(Bound {
                measure,
                least: file.gte.unwrap_or(f64::NEG_INFINITY),
                most: file.lte.unwrap_or(f64::INFINITY),
            });
        }
    }

    /// Refuses what always holds, and what never does.
    fn check_bound(&mut self, bound: &Spanned<BoundFile>) {
        let BoundFile { gte, lte, .. } = bound.value;
        if gte.is_none() && lte.is_none() {
            self.problem(bound, "a bound needs `gte`, `lte` or both");
        }
        if gte.is_some_and(|least| !is_above_zero(least)) {
            self.problem(bound, "`gte` is a number of more than 0");
        }
        if lte.is_some_and(|most| most.is_nan() || most < gte.unwrap_or(0.0)) {
            self.problem(bound, "`lte` is a number from 0, and from `gte`, on");
        }
    }

    /// A number that would mean nothing, were it 0 or less.
    fn positive(&mut self, name: &str, number: &Spanned<f64>) {
        if !is_above_zero(number.value) {
            self.problem(number, format!("`{name}` is a number of more than 0"));
        }
    }

    fn value(&mut self, window: &mut Window, bound: &Spanned<BoundFile>) -> Option<usize> {
        let field = self.field_in(bound, bound.value.field.as_ref())?;
        let known = window.values.iter().position(|known| *known == field);
        Some(known.unwrap_or_else(|| {
            window.values.push(field);
            window.values.len() - 1
        }))
    }

    fn share(&mut self, window: &mut Window, bound: &Spanned<BoundFile>) -> Option<usize> {
        let Some(of) = &bound.value.of else {
            self.problem(bound, "a ratio says `of` which selection");
            return None;
        };
        let mark = Condition::parse(of, &self.selections)
            .map_err(|error| self.problem(bound, error.to_string()))
            .ok()?;
        window.marks.push(mark);
        if window.marks.len() > MARKS_MAX {
            self.problem(bound, format!("at most {MARKS_MAX} ratios"));
        }
        Some(window.marks.len() - 1)
    }

    fn ordered(&mut self, correlation: &CorrelationFile) -> Option<Ordered> {
        let timespan = self.timespan(correlation);
        let weight = correlation.weight.as_ref().map(|name| self.field(name));
        if !(2..=MARKS_MAX).contains(&correlation.order.len()) {
            self.problem(
                &correlation.r#type,
                format!("an order has from 2 to {MARKS_MAX} steps"),
            );
        }
        let mut steps = Vec::new();
        for step in &correlation.order {
            if step.value.gte == 0 {
                self.problem(step, "`gte` is a number of more than 0");
            }
            match Condition::parse(&step.value.selection, &self.selections) {
                Ok(condition) => steps.push((condition, step.value.gte)),
                Err(error) => self.problem(step, error.to_string()),
            }
        }
        Some(Ordered {
            steps,
            timespan: timespan?,
            weight: weight.flatten(),
        })
    }

    fn missing(&mut self, subject: Condition, correlation: &CorrelationFile) -> Option<Missing> {
        let timespan = self.timespan(correlation);
        let wait = self.needed("wait", correlation.wait.as_ref(), correlation);
        let wait = wait.and_then(|text| {
            let wait = self.duration(text)?;
            if wait > LATENESS {
                self.problem(text, format!("a wait is at most {}s", LATENESS.as_secs()));
            }
            Some(wait)
        });
        let partner = self.needed("partner", correlation.partner.as_ref(), correlation);
        let partner = partner.and_then(|partner| self.condition(partner));
        Some(Missing {
            subject,
            partner: partner?,
            timespan: timespan?,
            wait: wait?,
        })
    }

    fn travel(&mut self, filter: Condition, correlation: &CorrelationFile) -> Option<Travel> {
        let timespan = self.timespan(correlation);
        let distance = self.needed("distance-km", correlation.distance_km.as_ref(), correlation);
        let speed = self.needed("speed-kmh", correlation.speed_kmh.as_ref(), correlation);
        let (distance, speed) = (distance?, speed?);
        self.positive("distance-km", distance);
        self.positive("speed-kmh", speed);
        Some(Travel {
            filter,
            timespan: timespan?,
            distance_km: distance.value,
            speed_kmh: speed.value,
        })
    }

    fn habit(&mut self, filter: Condition, correlation: &CorrelationFile) -> Option<Habit> {
        let days = self.needed("days", correlation.days.as_ref(), correlation)?;
        let kind = correlation.r#type.value.as_str();
        let days_max = if kind == "volume" {
            VOLUME_DAYS_MAX
        } else {
            DAYS_MAX
        };
        if !(1..=days_max).contains(&days.value) {
            self.problem(days, format!("from 1 to {days_max} days"));
        }
        let days = days.value;
        let field = correlation.field.as_ref().map(|name| self.field(name));
        let break_of = match kind {
            "new_value" => {
                self.needed("field", correlation.field.as_ref(), correlation)?;
                let learning =
                    self.needed("learning-days", correlation.learning_days.as_ref(), correlation)?;
                if learning.value < 0 {
                    self.problem(learning, "`learning-days` is 0 or more");
                }
                HabitBreak::NewValue {
                    field: field??,
                    days,
                    learning_days: learning.value,
                }
            }
            "return" => HabitBreak::Return { days },
            _ => {
                let floor = self.needed("floor", correlation.floor.as_ref(), correlation);
                let factor = self.needed("factor", correlation.factor.as_ref(), correlation)?;
                self.positive("factor", factor);
                HabitBreak::Volume {
                    field: field.flatten(),
                    floor: floor?.value,
                    factor: factor.value,
                    days,
                }
            }
        };
        Some(Habit { filter, break_of })
    }

    /// Members that mean nothing for the type are mistakes.
    fn refuse_foreign_members(&mut self, correlation: &CorrelationFile) {
        let given = [
            ("timespan", correlation.timespan.is_some()),
            ("weight", correlation.weight.is_some()),
            ("condition", correlation.condition.is_some()),
            ("also", !correlation.also.is_empty()),
            ("order", !correlation.order.is_empty()),
            ("partner", correlation.partner.is_some()),
            ("wait", correlation.wait.is_some()),
            ("distance-km", correlation.distance_km.is_some()),
            ("speed-kmh", correlation.speed_kmh.is_some()),
            ("field", correlation.field.is_some()),
            ("days", correlation.days.is_some()),
            ("learning-days", correlation.learning_days.is_some()),
            ("floor", correlation.floor.is_some()),
            ("factor", correlation.factor.is_some()),
        ];
        let of = &correlation.r#type;
        let Some((_, members)) = TYPES.into_iter().find(|(name, _)| *name == of.value) else {
            return;
        };
        for (member, _) in given
            .into_iter()
            .filter(|(name, given)| *given && !members.contains(name))
        {
            self.problem(of, format!("`{member}` means nothing for the type {}", of.value));
        }
    }
}

fn is_above_zero(number: f64) -> bool {
    number.is_finite() && number > 0.0
}

/// The types, each with the members that it may have beside `group-by`.
const TYPES: [(&str, &[&str]); 11] = [
    ("event", &[]),
    ("event_count", &["timespan", "weight", "condition", "also"]),
    ("value_count", &["timespan", "weight", "condition", "also"]),
    ("value_sum", &["timespan", "weight", "condition", "also"]),
    ("ratio", &["timespan", "weight", "condition", "also"]),
    ("temporal_ordered", &["timespan", "weight", "order"]),
    ("missing", &["timespan", "partner", "wait"]),
    ("travel", &["timespan", "distance-km", "speed-kmh"]),
    ("new_value", &["field", "days", "learning-days"]),
    ("return", &["days"]),
    ("volume", &["field", "days", "floor", "factor"]),
];
