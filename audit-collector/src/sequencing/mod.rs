//! The order of the log: one leader gives committed batches consecutive positions.
//!
//! A position is how many events stand before, from 0 on; that of an event is its batch's first position and its ordinal.
//! A batch that commits later gets later positions, so that the order has no holes and never changes.

mod run;
mod store;

pub use run::run;
