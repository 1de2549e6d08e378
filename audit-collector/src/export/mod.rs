//! Taking the log elsewhere: `GET /v1/export` and `audit-collector export`.

mod columns;
mod command;
mod csv;
mod ecs;
mod encode;
mod format;
mod handler;
mod json;
mod manifest;
mod ocsf;
mod parquet;
mod part;
mod places;
mod run;

use shared::database::DatabaseError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use command::ExportCommand;
pub use format::ExportFormat;
pub use manifest::Manifest;
pub use places::Exports;
pub use run::Export;

/// Why an export stopped.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The file cannot be made.
    #[error("the table cannot be written: {0}")]
    Table(#[from] ::parquet::errors::ParquetError),
    /// A page does not lead to the next one.
    #[error("a page of the log does not lead to the next one")]
    Cursor,
}

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::export_events))
}
