//! The leaf hashes of events that were removed, as they are kept of a batch: the ordinal in four bytes, the most significant first, and
//! SHA-256 over a zero byte and the body (RFC 6962 §2.1). Pure.

use std::collections::BTreeMap;

use aws_lc_rs::digest::{Context, SHA256};
use uuid::Uuid;

use super::store::Gone;

/// The leaves of each batch, and the first of their ordinals.
pub(super) fn leaves(gone: &[Gone]) -> BTreeMap<Uuid, (i32, Vec<u8>)> {
    let mut by_batch: BTreeMap<Uuid, BTreeMap<i32, &[u8]>> = BTreeMap::new();
    for event in gone {
        let batch = by_batch.entry(event.batch_id).or_default();
        batch.insert(event.ordinal, &event.body);
    }
    let joined = by_batch.into_iter().map(|(batch, bodies)| {
        let first = bodies.keys().next().copied().unwrap_or_default();
        let mut leaves = Vec::new();
        for (ordinal, body) in bodies {
            let mut leaf = Context::new(&SHA256);
            leaf.update(&[0]);
            leaf.update(body);
            leaves.extend_from_slice(&ordinal.to_be_bytes());
            leaves.extend_from_slice(leaf.finish().as_ref());
        }
        (batch, (first, leaves))
    });
    joined.collect()
}
