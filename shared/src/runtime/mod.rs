//! What all three services need to start and to stop.

mod backoff;
mod blocking;
pub mod cli;
pub mod common;
pub mod instance;
pub mod metrics;
pub mod settings;
pub mod shutdown;
pub mod telemetry;

pub use backoff::Backoff;
pub use blocking::blocking;
