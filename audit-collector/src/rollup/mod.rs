//! Counts that are kept: events by minute, ten minutes, hour and day and by what has few values, so that charts need not count rows.
//!
//! One leader adds the log to them in its order. An event counts in the minute in which it happened, however late it came, and
//! once, since what was added and how far that was are committed together. What the leader has not come to is counted from rows.
//! Which users and addresses there were, which of them often, and how long answers took is kept likewise, by ten minutes, hour, day and week, in sketches that
//! add up. What those did that have many events in a day is counted by name.

mod heavy;
mod kind;
mod pending;
mod run;
mod sketch;
mod source;
mod store;

pub(crate) use kind::short;
pub use run::{catch_up, run};
pub(crate) use sketch::{Distinct, Frequent, RELATIVE_ERROR, STANDARD_ERROR, Spread, ValueHash};
pub(crate) use source::{Sketched, Source, TOLD_APART_BY, latest_days};
pub(crate) use store::forget_names;
