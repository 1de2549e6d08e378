//! Ids of events and requests: UUIDs of version 7.

use std::cell::RefCell;

use uuid::{Builder, NoContext, Timestamp, Uuid};

use crate::clock::UtcMicros;

/// Random bytes that a thread fetches from the kernel at a time: one call for 200 ids rather than one for each.
const POOL_BYTES: usize = 200 * ID_BYTES;

/// Random bytes of one id, 74 bits of which are used.
const ID_BYTES: usize = 10;

/// The UUIDv7 of the moment `time` whose other bits are those of `rest`: the same for the same, so that what is told twice is
/// one event. Moments before 1970 count as 1970.
pub fn stable_event_id(time: UtcMicros, rest: &[u8; ID_BYTES]) -> Uuid {
    let millis = u64::try_from(time.as_micros() / 1_000).unwrap_or(0);
    Builder::from_unix_timestamp_millis(millis, rest).into_uuid()
}

/// The service of events that were imported from the log of another program. Nobody publishes under that name: there is no such
/// user of the broker.
pub const IMPORT_SERVICE: &str = "import";

/// What the ids of imported events begin with: more than any UUIDv7 before the year 10,889 does, so that they are a range by themselves.
const IMPORTED: u8 = 0xff;

/// The id of an imported event: a UUID of version 8 (RFC 9562 §5.8) of 0xff, the second of `time` in 40 bits, and 74 bits of `rest`. The same for
/// the same, and in the order of time. Moments before 1970 count as 1970.
pub fn imported_event_id(time: UtcMicros, rest: &[u8; ID_BYTES]) -> Uuid {
    let seconds = u64::try_from(time.as_seconds()).unwrap_or(0).to_be_bytes();
    let mut bytes = [IMPORTED; 16];
    for (byte, from) in bytes.iter_mut().skip(1).zip(seconds.iter().skip(3).chain(rest)) {
        *byte = *from;
    }
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// A fresh UUIDv7 of the moment `time`, to the millisecond, the rest random (RFC 9562 §5.7). Moments before 1970 count as 1970.
///
/// It is unique and no secret: nothing that must not be guessed may be made of it.
pub fn event_id(time: UtcMicros) -> Uuid {
    match POOL.with_borrow_mut(Pool::take) {
        Some(random) => stable_event_id(time, &random),
        // The library waits for the kernel, or gives up for good.
        None => Uuid::new_v7(timestamp(time)),
    }
}

fn timestamp(time: UtcMicros) -> Timestamp {
    let seconds = u64::try_from(time.as_seconds()).unwrap_or(0);
    Timestamp::from_unix(NoContext, seconds, 0)
}

thread_local! {
    static POOL: RefCell<Pool> = const {
        RefCell::new(Pool {
            bytes: [0; POOL_BYTES],
            used: POOL_BYTES,
        })
    };
}

/// Random bytes, each of which is used once.
struct Pool {
    bytes: [u8; POOL_BYTES],
    used: usize,
}

impl Pool {
    /// The next bytes; none if the kernel gives none.
    fn take(&mut self) -> Option<[u8; ID_BYTES]> {
        if self.used == POOL_BYTES {
            getrandom::fill(&mut self.bytes).ok()?;
            self.used = 0;
        }
        let random = self.bytes.get(self.used..)?.first_chunk()?;
        self.used += ID_BYTES;
        Some(*random)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_stable_id_is_of_version_7_and_of_its_moment() {
        let time = UtcMicros::from_micros(1_700_000_000_123_456);

        let id = stable_event_id(time, &[7; 10]);

        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id, stable_event_id(time, &[7; 10]));
        assert_ne!(id, stable_event_id(time, &[8; 10]));
        assert_eq!(
            id.get_timestamp().unwrap().to_unix(),
            (1_700_000_000, 123_000_000)
        );
        assert_eq!(
            stable_event_id(UtcMicros::from_seconds(-1), &[7; 10])
                .get_timestamp()
                .unwrap()
                .to_unix(),
            (0, 0)
        );
    }

    #[test]
    fn an_imported_id_is_of_version_8_behind_all_others_and_ordered_by_time() {
        let id = |seconds| imported_event_id(UtcMicros::from_seconds(seconds), &[7; 10]);

        assert_eq!(id(1_700_000_000).get_version_num(), 8);
        assert!(id(0) > event_id(UtcMicros::from_seconds(200_000_000_000)));
        assert!(id(1_700_000_000) < id(1_700_000_001));
        assert_ne!(id(1), imported_event_id(UtcMicros::from_seconds(1), &[8; 10]));
    }

    #[test]
    fn no_two_fresh_ids_of_one_moment_are_alike_on_one_thread_or_on_several() {
        let time = UtcMicros::from_seconds(1_700_000_000);
        let ids = || (0..1_000).map(|_| event_id(time)).collect::<Vec<_>>();

        let elsewhere = std::thread::spawn(move || (0..1_000).map(|_| event_id(time)).collect::<Vec<_>>());
        let all: HashSet<_> = ids().into_iter().chain(elsewhere.join().unwrap()).collect();

        assert_eq!(all.len(), 2_000);
        assert!(all.iter().all(|id| id.get_version_num() == 7));
    }
}
