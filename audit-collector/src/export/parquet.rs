//! Events as Apache Parquet: one optional column for each field, in groups of rows of bounded size.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use parquet::basic::Compression;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::columns::{COLUMNS, Cell, Kind, Parts};
use crate::search::EventBody;

/// Rows of a group: all that is held in memory. Readers skip groups by their least and greatest values.
const GROUP_ROWS: usize = 10_000;

/// Writes a file whose bytes are taken away as they come.
pub(super) struct Table {
    writer: SerializedFileWriter<Written>,
    written: Written,
    rows: Vec<Vec<Cell>>,
}

/// Bytes that were written and not taken yet.
#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Table {
    pub(super) fn new() -> Result<Self, ParquetError> {
        let written = Written::default();
        let schema = Arc::new(parse_message_type(&schema())?);
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by("gatelog".to_owned())
            .build();
        Ok(Self {
            writer: SerializedFileWriter::new(written.clone(), schema, Arc::new(properties))?,
            written,
            rows: Vec::new(),
        })
    }

    /// Adds an event.
    pub(super) fn push(&mut self, event: &EventBody) -> Result<(), ParquetError> {
        let parts = Parts::of(event);
        self.rows
            .push(COLUMNS.iter().map(|column| column.cell(&parts)).collect());
        if self.rows.len() >= GROUP_ROWS {
            self.write_group()?;
        }
        Ok(())
    }

    /// The bytes that are ready.
    pub(super) fn take(&self) -> Vec<u8> {
        self.written.take()
    }

    /// The rest of the bytes.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, ParquetError> {
        if !self.rows.is_empty() {
            self.write_group()?;
        }
        self.writer.close()?;
        Ok(self.written.take())
    }

    fn write_group(&mut self) -> Result<(), ParquetError> {
        let rows = std::mem::take(&mut self.rows);
        let mut group = self.writer.next_row_group()?;
        let mut at = 0;
        while let Some(mut column) = group.next_column()? {
            write_column(column.untyped(), rows.iter().filter_map(|row| row.get(at)))?;
            column.close()?;
            at += 1;
        }
        group.close()?;
        Ok(())
    }
}

fn write_column<'c>(
    writer: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = &'c Cell> + Clone,
) -> Result<(), ParquetError> {
    // 1 where there is a value, 0 where there is none.
    let levels: Vec<i16> = cells.clone().map(|cell| i16::from(*cell != Cell::None)).collect();
    let levels = Some(levels.as_slice());
    match writer {
        ColumnWriter::ByteArrayColumnWriter(writer) => {
            let texts: Vec<ByteArray> = cells
                .filter_map(|cell| match cell {
                    Cell::Text(text) => Some(text.as_str().into()),
                    _ => None,
                })
                .collect();
            writer.write_batch(&texts, levels, None)?;
        }
        ColumnWriter::Int64ColumnWriter(writer) => {
            let numbers: Vec<i64> = cells
                .filter_map(|cell| match cell {
                    Cell::Number(number) => Some(*number),
                    _ => None,
                })
                .collect();
            writer.write_batch(&numbers, levels, None)?;
        }
        ColumnWriter::BoolColumnWriter(writer) => {
            let flags: Vec<bool> = cells
                .filter_map(|cell| match cell {
                    Cell::Flag(flag) => Some(*flag),
                    _ => None,
                })
                .collect();
            writer.write_batch(&flags, levels, None)?;
        }
        // The schema has no other columns.
        _ => {}
    }
    Ok(())
}

fn schema() -> String {
    let columns = COLUMNS.iter().map(|column| {
        let kind = match column.kind {
            Kind::Text => ("binary", " (STRING)"),
            Kind::Number => ("int64", ""),
            Kind::Flag => ("boolean", ""),
            Kind::Moment => ("int64", " (TIMESTAMP(MICROS,true))"),
        };
        format!("optional {} {}{};", kind.0, column.name, kind.1)
    });
    format!("message event {{ {} }}", columns.collect::<Vec<_>>().join(" "))
}
