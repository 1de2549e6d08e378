//! What is usual for a group over many days, kept for the rules about habits.

mod store;

pub(super) use store::{keep, known};
