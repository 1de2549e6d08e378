//! Events in: from the transport into the log, acknowledged after they are committed.

mod batch;
mod judge;
mod keep;
mod metrics;
mod run;

pub use judge::{Judged, judge};
pub use keep::Keeper;
pub use metrics::Counts;
pub use run::{Ingest, run};
