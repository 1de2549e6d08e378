//! Events → the bytes of a file, piece by piece. Holds no more than a group of rows.

use serde_json::Value;

use super::parquet::Table;
use super::{ExportError, ExportFormat, csv, ecs, ocsf};
use crate::search::EventBody;

/// A file as it is made.
pub(super) enum Encoder {
    /// A JSON value a line.
    Lines(fn(&EventBody) -> Value),
    /// A table of texts.
    Csv,
    /// A table of columns.
    Parquet(Box<Table>),
}

impl Encoder {
    /// One for that format, and what the file begins with.
    pub(super) fn begin(format: ExportFormat) -> Result<(Self, Vec<u8>), ExportError> {
        Ok(match format {
            // Texts and numbers alone cannot fail to be written.
            ExportFormat::Ndjson => (
                Self::Lines(|event| serde_json::to_value(event).unwrap_or_default()),
                Vec::new(),
            ),
            ExportFormat::Ocsf => (Self::Lines(ocsf::event), Vec::new()),
            ExportFormat::Ecs => (Self::Lines(ecs::document), Vec::new()),
            ExportFormat::Csv => (Self::Csv, csv::head()),
            ExportFormat::Parquet => (Self::Parquet(Box::new(Table::new()?)), Vec::new()),
        })
    }

    /// Adds events and returns the bytes that are ready, perhaps none.
    pub(super) fn add(&mut self, events: &[EventBody]) -> Result<Vec<u8>, ExportError> {
        let mut bytes = Vec::new();
        for event in events {
            match self {
                Self::Lines(value) => {
                    bytes.extend_from_slice(value(event).to_string().as_bytes());
                    bytes.push(b'\n');
                }
                Self::Csv => csv::push(&mut bytes, event),
                Self::Parquet(table) => {
                    table.push(event)?;
                    bytes.extend(table.take());
                }
            }
        }
        Ok(bytes)
    }

    /// What the file ends with.
    pub(super) fn end(self) -> Result<Vec<u8>, ExportError> {
        match self {
            Self::Lines(_) | Self::Csv => Ok(Vec::new()),
            Self::Parquet(table) => Ok(table.finish()?),
        }
    }
}
