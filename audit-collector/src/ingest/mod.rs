//! Events in: from the transport into the log, acknowledged after they are committed.

mod judge;
mod run;

pub use judge::{Judged, judge};
pub use run::{Ingest, run};
