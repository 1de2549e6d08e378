//! What an export holds, so that whoever gets the file can tell whether it is whole and unchanged. Pure.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use serde::Serialize;
use serde_json::Value;
use shared::clock::UtcMicros;
use shared::event::Detail;
use uuid::Uuid;

use super::ExportFormat;
use crate::search::EventBody;

/// What an export holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Manifest {
    /// Its id, which is also that of the event `log_exported`.
    pub export: Uuid,
    /// When it was begun.
    pub made_at: UtcMicros,
    /// Its format.
    pub format: ExportFormat,
    /// What was asked for.
    pub filter: BTreeMap<String, String>,
    /// How many events had a place in the log when it was begun.
    pub log_size: u64,
    /// Events in it.
    pub events: u64,
    /// When the earliest of them happened.
    pub first_time: Option<UtcMicros>,
    /// When the latest of them happened.
    pub last_time: Option<UtcMicros>,
    /// The least of their positions in the log.
    pub first_position: Option<i64>,
    /// The greatest of their positions.
    pub last_position: Option<i64>,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 over its bytes, in hexadecimal; none until it is complete.
    pub sha256: Option<String>,
    /// Whether it was made to its end.
    pub complete: bool,
}

impl Manifest {
    /// The detail of the event that tells of it.
    pub(super) fn detail(&self) -> Detail {
        match serde_json::to_value(self) {
            Ok(Value::Object(members)) => members,
            // An object is written as one.
            _ => Detail::new(),
        }
    }
}

/// A manifest as the file is made.
pub(super) struct Tally {
    pub(super) manifest: Manifest,
    hash: Context,
}

impl Tally {
    pub(super) fn new(manifest: Manifest) -> Self {
        Self {
            manifest,
            hash: Context::new(&SHA256),
        }
    }

    /// Counts events, which come the latest first.
    pub(super) fn count(&mut self, events: &[EventBody]) {
        let manifest = &mut self.manifest;
        for event in events {
            manifest.events += 1;
            manifest.first_time = Some(
                manifest
                    .first_time
                    .map_or(event.time, |time| time.min(event.time)),
            );
            manifest.last_time = manifest.last_time.max(Some(event.time));
            manifest.last_position = manifest.last_position.max(event.position);
            manifest.first_position = match (manifest.first_position, event.position) {
                (Some(first), Some(position)) => Some(first.min(position)),
                (first, position) => first.or(position),
            };
        }
    }

    /// Counts bytes of the file.
    pub(super) fn hash(&mut self, bytes: &[u8]) {
        self.manifest.bytes += bytes.len() as u64;
        self.hash.update(bytes);
    }

    /// Notes that the file is complete.
    pub(super) fn complete(&mut self) {
        let digest = self.hash.clone().finish();
        let hex = digest.as_ref().iter().map(|byte| format!("{byte:02x}"));
        self.manifest.sha256 = Some(hex.collect());
        self.manifest.complete = true;
    }
}
