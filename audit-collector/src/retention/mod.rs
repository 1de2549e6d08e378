//! How long events are kept: by class, but for what a legal hold keeps.
//!
//! One collector at a time makes the ranges of ids ahead that PostgreSQL drops as a whole, and removes what has been kept for long
//! enough. Batches stay, with their positions and digests, so that the order of the log and what was counted from it do not change; of
//! a batch that keeps some of its events, the leaf hashes of the others stay too, so that its digest can still be checked.

mod alerts;
mod change;
mod command;
mod handler;
mod hold;
mod metrics;
mod partition;
mod removal;
mod report;
mod rule;
mod run;
mod settings;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub(crate) use change::Unconfirmed;
pub use command::RetentionCommand;
pub use hold::Hold;
pub use metrics::RetentionMetrics;
pub(crate) use metrics::watch;
pub use removal::Removed;
pub use report::{PutOff, Report};
pub use rule::{Keeping, Periods};
pub use run::{Retention, RetentionError, Unfinished, preview, run, sweep};
pub(crate) use settings::{ALL as SETTINGS, read as read_periods};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_retention))
        .routes(routes!(change::handler::confirm_change))
        .routes(routes!(change::handler::withdraw_change))
        .routes(routes!(hold::handler::list_holds, hold::handler::add_hold))
        .routes(routes!(hold::handler::release_hold))
}
