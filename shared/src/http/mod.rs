//! What the services' HTTP listeners have in common.

pub mod bearer;
pub mod client;
pub mod client_addr;
pub mod health;
pub mod json;
mod method;
pub mod metrics;
pub mod problem;
pub mod reading_on;
pub mod request_id;
pub mod serve;
#[cfg(feature = "otlp")]
pub mod traces;

/// The header in which auth-service says by what name refusals know what was done.
pub const DECISION: http::HeaderName = http::HeaderName::from_static("x-gatelog-decision");
