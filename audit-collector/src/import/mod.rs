//! Logs of other programs: read line by line, and appended as events that are marked as imported.
//!
//! An imported event has [`IMPORT_SERVICE`](shared::event::IMPORT_SERVICE) as its service and the name that the import was given as its instance; nobody
//! can publish as that service. Its id follows from the name and the line, so that importing twice stores once.

mod command;
pub mod common;
pub mod format;
mod imported;
pub mod json;
mod lines;
pub mod own;
pub mod request;
mod run;

pub use command::ImportCommand;
pub use format::Format;
pub use imported::Importer;
pub use run::{ImportError, Input, Progress, Stopped, Summary, import};

/// Why a line is no event. The texts quote nothing of the line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// Longer than is read.
    #[error("the line is longer than {} bytes", lines::LINE_BYTES_MAX)]
    TooLong,
    /// In none of the formats.
    #[error("the line is in no format that is known; say which by --format")]
    UnknownFormat,
    /// No JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A part is missing or is not what it should be.
    #[error("{0}")]
    Part(&'static str),
    /// An event that this version does not know or that is too large.
    #[error("{0}")]
    Event(String),
}
