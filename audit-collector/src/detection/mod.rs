//! Detection: rules over the stored, ordered log, run by one collector at a time.

mod command;
pub mod engine;
pub mod field;
mod handler;
mod memory;
pub mod metrics;
pub mod past;
pub mod place;
pub mod reload;
pub mod rule;
mod run;
mod settings;
mod store;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use command::RulesCommand;
pub use run::Detector;
pub use settings::DetectionSettings;
pub use store::standing;

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_rules))
        .routes(routes!(handler::read_rule))
}
