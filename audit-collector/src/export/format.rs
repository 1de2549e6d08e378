//! The formats of an export. Pure.

use std::str::FromStr;

use clap::ValueEnum;
use serde::Serialize;

/// A format that events are exported in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ExportFormat {
    /// Events as `/v1/events` has them, one a line. Can be imported.
    Ndjson,
    /// A table with a head (RFC 4180), made safe for spreadsheets.
    Csv,
    /// Apache Parquet, compressed with Snappy.
    Parquet,
    /// OCSF 1.8, one event a line.
    Ocsf,
    /// Elastic Common Schema, one document a line.
    Ecs,
}

impl ExportFormat {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ocsf => "ocsf",
            Self::Ecs => "ecs",
        }
    }

    /// The media type of a file in it.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Ndjson | Self::Ocsf | Self::Ecs => "application/x-ndjson",
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// How the name of a file in it ends.
    pub(super) const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
            Self::Parquet => "parquet",
            Self::Ocsf => "ocsf.ndjson",
            Self::Ecs => "ecs.ndjson",
        }
    }
}

impl FromStr for ExportFormat {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [Self::Ndjson, Self::Csv, Self::Parquet, Self::Ocsf, Self::Ecs]
            .into_iter()
            .find(|format| format.as_str() == text)
            .ok_or("not `ndjson`, `csv`, `parquet`, `ocsf` or `ecs`")
    }
}
