//! What a period's events add up to. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::address;

/// The counts of a period.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Its first moment, if it has one.
    pub from: Option<UtcMicros>,
    /// The first moment after it, if it has one.
    pub to: Option<UtcMicros>,
    /// All events.
    pub events: i64,
    /// By class.
    pub by_class: Vec<Count>,
    /// By outcome.
    pub by_outcome: Vec<Count>,
    /// By reason; events without one are left out.
    pub by_reason: Vec<Count>,
    /// By action.
    pub by_action: Vec<Count>,
    /// The ten users with the most events, by name or else by subject; only users that a token or a password proved.
    pub top_users: Vec<Count>,
    /// The ten addresses with the most events.
    pub top_addresses: Vec<Count>,
    /// The ten routes with the most events, by name.
    pub top_routes: Vec<Count>,
}

/// How many events have a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Count {
    /// The value.
    pub value: String,
    /// How many events have it.
    pub events: i64,
}

impl Summary {
    /// Takes one row of the counts: which list it is for, the value and how many.
    pub(super) fn take(&mut self, list: &str, value: String, events: i64) {
        let list = match list {
            "class" => {
                self.events += events;
                &mut self.by_class
            }
            "outcome" => &mut self.by_outcome,
            "reason" => &mut self.by_reason,
            "action" => &mut self.by_action,
            "user" => &mut self.top_users,
            "address" => {
                return self
                    .top_addresses
                    .extend(address(&value).map(|value| Count { value, events }));
            }
            _ => &mut self.top_routes,
        };
        list.push(Count { value, events });
    }

    /// Puts every list in order: the most events first, equal ones by value.
    pub(super) fn sort(&mut self) {
        for list in [
            &mut self.by_class,
            &mut self.by_outcome,
            &mut self.by_reason,
            &mut self.by_action,
            &mut self.top_users,
            &mut self.top_addresses,
            &mut self.top_routes,
        ] {
            list.sort_by(|a, b| b.events.cmp(&a.events).then_with(|| a.value.cmp(&b.value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_ordered_by_count_and_then_by_value() {
        let mut summary = Summary::default();
        for (value, events) in [("b", 1), ("c", 2), ("a", 1)] {
            summary.take("class", value.into(), events);
        }

        summary.sort();

        let values: Vec<_> = summary
            .by_class
            .iter()
            .map(|count| count.value.as_str())
            .collect();
        assert_eq!(values, ["c", "a", "b"]);
        assert_eq!(summary.events, 4);
    }

    #[test]
    fn an_address_is_shown_as_people_write_it() {
        let mut summary = Summary::default();

        summary.take("address", "00000000000000000000FFFFC0000207".into(), 1);

        assert_eq!(summary.top_addresses[0].value, "192.0.2.7");
    }
}
