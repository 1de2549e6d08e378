//! What the services' HTTP listeners have in common.

pub mod bearer;
pub mod client;
pub mod client_addr;
pub mod health;
mod method;
pub mod metrics;
pub mod problem;
pub mod request_id;
pub mod serve;
#[cfg(feature = "otlp")]
pub mod traces;
