//! Deliveries that are no events, or none that may be believed: kept as they came, and never interpreted.

mod letter;
mod store;

pub use letter::{DeadLetter, Numbered};
pub(crate) use store::insert;
