//! What is usual for a group over many days, kept for the rules about habits.

mod store;
mod unkept;

pub(super) use store::keep;
pub(super) use unkept::Unkept;
