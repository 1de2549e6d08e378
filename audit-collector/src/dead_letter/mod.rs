//! Deliveries that are no events, or none that may be believed: kept as they came, and never interpreted.

mod command;
mod desk;
mod handler;
mod kept;
mod letter;
mod store;
mod wanted;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;

pub use command::DeadLettersCommand;
pub use letter::{DeadLetter, Numbered};
pub(crate) use store::insert;

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_dead_letters))
        .routes(routes!(handler::read_dead_letter, handler::drop_dead_letter))
        .routes(routes!(handler::replay_dead_letter))
        .routes(routes!(handler::replay_dead_letters))
        .routes(routes!(handler::drop_dead_letters))
}
