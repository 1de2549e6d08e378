//! Dead letters at rest.

use shared::clock::UtcMicros;
use shared::database::{DatabaseError, Tx, execute};
use shared::event::bounded;
use shared::spool::event_digest;

use super::DeadLetter;

/// The bytes of a dead letter that are kept: as many as an event may have.
pub(super) const BODY_BYTES_MAX: usize = 64 * 1024;

/// The longest publisher's name that is kept, in bytes; AMQP's short strings have 255.
const PUBLISHER_BYTES_MAX: usize = 255;

const INSERT: &str = "INSERT INTO dead_letter \
    (id, received_at, last_received_at, times, reason, publisher, body, body_bytes) \
    VALUES ($1, $2, $2, 1, $3, $4, $5, $6) \
    ON CONFLICT (id) DO UPDATE SET times = dead_letter.times + 1, last_received_at = excluded.last_received_at";

const INSERT_NUMBER: &str = "INSERT INTO dead_number (letter_id, received_at, service, instance, boot, seq, digest) \
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (letter_id) DO NOTHING";

/// Keeps a letter; one that is kept already is counted. The number that it fills is told to whoever counts.
pub(crate) async fn insert(
    tx: &mut Tx<'_>,
    letter: &DeadLetter,
    received_at: UtcMicros,
) -> Result<(), DatabaseError> {
    let id = letter.id();
    let kept = letter.body.get(..BODY_BYTES_MAX).unwrap_or(&letter.body);
    let publisher = letter.publisher.as_deref();
    let body_bytes = i32::try_from(letter.body.len()).unwrap_or(i32::MAX);
    execute!(
        tx,
        sqlx::query(INSERT)
            .bind(id)
            .bind(received_at.as_micros())
            .bind(letter.reason)
            .bind(publisher.map(|name| bounded(&name.replace('\0', "\u{fffd}"), PUBLISHER_BYTES_MAX)))
            .bind(kept.to_vec())
            .bind(body_bytes)
    )?;
    let Some(numbered) = letter.numbered() else {
        return Ok(());
    };
    execute!(
        tx,
        sqlx::query(INSERT_NUMBER)
            .bind(id)
            .bind(received_at.as_micros())
            .bind(&numbered.source.service)
            .bind(&numbered.source.instance)
            .bind(numbered.source.boot)
            .bind(numbered.seq.cast_signed())
            .bind(event_digest(&letter.body).to_vec())
    )?;
    Ok(())
}
