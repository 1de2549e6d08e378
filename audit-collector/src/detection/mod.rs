//! Detection: rules over the stored, ordered log, run by one collector at a time.

mod backtest;
mod command;
pub mod engine;
pub mod field;
mod handler;
mod judging;
mod memory;
pub mod metrics;
pub mod past;
mod place;
mod rebuilding;
pub mod reload;
pub mod rule;
mod run;
mod settings;
mod silence;
mod standing;
mod store;
mod telling;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use backtest::Backtests;
pub use command::RulesCommand;
pub use run::Detector;
pub use settings::DetectionSettings;
pub use store::standing;
pub(crate) use telling::Telling;

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_rules))
        .routes(routes!(handler::read_rule, standing::handler::change_rule))
        .routes(routes!(backtest::handler::backtest_rule))
        .routes(routes!(
            silence::handler::list_silences,
            silence::handler::add_silence
        ))
        .routes(routes!(silence::handler::end_silence))
}
