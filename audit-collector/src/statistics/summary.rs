//! What a period's events add up to. Pure.

use serde::Serialize;
use shared::clock::UtcMicros;

use super::dimension::Dimension;
use super::lists::{self, List, ListRow};
use crate::search::{Dialect, Field, Filter, Statement};

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
    /// How many events each of them may have more than is told, at most; absent if all is exact.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_error: Option<i64>,
    /// The ten addresses with the most events.
    pub top_addresses: Vec<Count>,
    /// The same of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address_error: Option<i64>,
    /// The ten routes with the most events, by name or else by template.
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

/// Values of the lists that have a name of their own, and of those that tell of all.
const TOP: usize = 10;
const ALL: usize = 1_000;

fn lists() -> Vec<List> {
    let list = |by, limit| List {
        by,
        only: None,
        limit,
    };
    let mut users = list(Dimension::USER, TOP);
    users.only = Filter::exactly(Field::Identity, "verified");
    vec![
        list(Dimension::CLASS, ALL),
        list(Dimension::OUTCOME, ALL),
        list(Dimension::REASON, ALL),
        list(Dimension::ACTION, ALL),
        users,
        list(Dimension::ADDRESS, TOP),
        list(Dimension::ROUTE, TOP),
    ]
}

impl Summary {
    pub(super) fn statement(filter: &Filter, dialect: Dialect) -> Statement {
        lists::statement(filter, &lists(), dialect)
    }

    /// What the rows of [`Self::statement`] say.
    pub(super) fn of(filter: &Filter, rows: Vec<ListRow>) -> Self {
        let period = filter.period();
        let mut listed = lists::answer(&lists(), rows).into_iter();
        let mut next = || {
            listed
                .next()
                .map_or((Vec::new(), None), |list| (list.values, list.error))
        };
        let [by_class, by_outcome, by_reason, by_action] = std::array::from_fn(|_| next().0);
        let ((top_users, user_error), (top_addresses, address_error)) = (next(), next());
        Self {
            from: period.from,
            to: period.to,
            events: by_class.iter().map(|count: &Count| count.events).sum(),
            by_class,
            by_outcome,
            by_reason,
            by_action,
            top_users,
            user_error,
            top_addresses,
            address_error,
            top_routes: next().0,
        }
    }
}
