//! Ranges of ids that PostgreSQL keeps as tables of their own and drops as a whole.

mod range;
mod store;

pub(super) use range::Range;
pub(super) use store::{drop_range, make_ahead, ranges};
