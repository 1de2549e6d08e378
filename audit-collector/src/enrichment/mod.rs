//! What is known of an event beside what it says. It stands beside events, never in them: what is hashed is what was sent.

mod program;

pub(crate) use program::program;
