//! What adds up where counts do not: which values there were, and how long answers took (decision 0133).

mod distinct;
mod spread;
mod store;

pub(crate) use distinct::{Distinct, STANDARD_ERROR, ValueHash};
pub(crate) use spread::{RELATIVE_ERROR, Spread};
pub(super) use store::add;
