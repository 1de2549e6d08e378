//! The event decoder: no bytes make it panic, and what it reads it writes and reads again as the same.

use shared::event::wire;

/// Checks one input.
pub(super) fn event(data: &[u8]) {
    let Ok(event) = wire::decode(data) else { return };
    // Longer than it came, for instance with all of its defaults written out, it may be too large to be sent.
    let Ok(written) = wire::encode(&event) else { return };

    let read = wire::decode(&written).expect("what was written is read");

    assert_eq!(read, event);
    assert_eq!(wire::encode(&read).expect("what was read is written"), written);
}
