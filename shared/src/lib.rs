//! What the parts of Gatelog agree on: the event, the claims and their verification, names on the broker, the spool,
//! and what all three services need to start.
//!
//! Without features this crate is types and pure functions; every kind of I/O is behind a feature.

pub mod clock;
pub mod enforcement;
pub mod event;
pub mod topology;

#[cfg(feature = "http")]
pub mod guard;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "runtime")]
pub mod runtime;
#[cfg(feature = "spool")]
pub mod spool;
#[cfg(feature = "token")]
pub mod token;
#[cfg(feature = "transport")]
pub mod transport;
