//! Rate limits: how often somebody may ask, counted by this replica alone.

mod headers;
mod limiter;
mod metrics;
mod quota;
mod rule;
mod table;

pub(crate) use headers::advertise;
pub(crate) use limiter::{Exceeded, RateLimiter, Standing};
pub(crate) use metrics::RateMetrics;
pub use quota::{Quota, QuotaError};
pub use rule::{Per, RateRule};
