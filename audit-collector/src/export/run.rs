//! An export: page after page of a search, as pieces of a file. Whoever takes them sets the pace, and nothing is read ahead.

use bytes::Bytes;
use shared::clock::UtcMicros;
use shared::event::event_id;

use super::encode::Encoder;
use super::manifest::{Manifest, Tally};
use super::{ExportError, ExportFormat};
use crate::event_log::EventLog;
use crate::search::{Cursor, Filter, Search};

/// Events that are read at a time.
const PAGE: u16 = 500;

/// An export at work. Events come the latest first, by their own time.
pub struct Export {
    log: EventLog,
    search: Search,
    /// None once all is written.
    encoder: Option<Encoder>,
    /// What the file begins with, until it is given out.
    head: Vec<u8>,
    tally: Tally,
}

impl Export {
    /// Begins an export of what meets `filter`.
    pub async fn begin(
        log: EventLog,
        filter: Filter,
        format: ExportFormat,
        now: UtcMicros,
    ) -> Result<Self, ExportError> {
        let (encoder, head) = Encoder::begin(format)?;
        let given = filter
            .given()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let manifest = Manifest {
            export: event_id(now),
            made_at: now,
            format,
            filter: given.collect(),
            log_size: log.size().await?,
            events: 0,
            first_time: None,
            last_time: None,
            first_position: None,
            last_position: None,
            bytes: 0,
            sha256: None,
            complete: false,
        };
        Ok(Self {
            log,
            search: Search {
                filter,
                limit: PAGE,
                after: None,
            },
            encoder: Some(encoder),
            head,
            tally: Tally::new(manifest),
        })
    }

    /// What it holds so far.
    pub const fn manifest(&self) -> &Manifest {
        &self.tally.manifest
    }

    /// The next bytes of the file, which may be none yet; `None` at its end.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ExportError> {
        let Some(encoder) = &mut self.encoder else {
            return Ok(None);
        };
        let page = self.log.search(&self.search).await?;
        let mut bytes = std::mem::take(&mut self.head);
        bytes.extend(encoder.add(&page.events)?);
        self.tally.count(&page.events);
        match page.next_cursor {
            Some(cursor) => {
                let after = Cursor::open(&cursor, &self.search.filter);
                self.search.after = Some(after.map_err(|_| ExportError::Cursor)?);
            }
            None => {
                if let Some(encoder) = self.encoder.take() {
                    bytes.extend(encoder.end()?);
                }
            }
        }
        self.tally.hash(&bytes);
        if self.encoder.is_none() {
            self.tally.complete();
        }
        Ok(Some(bytes.into()))
    }
}
