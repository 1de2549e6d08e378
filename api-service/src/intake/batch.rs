//! The body of a report: one entry, or a list of them. Pure.

use serde_json::value::RawValue;
use shared::event::{Draft, Reporter};

use super::entry::{Entry, EntryFault};
use super::refusal::BatchFault;

/// Entries in one report at most.
pub(super) const ENTRIES_MAX: usize = 100;

/// Bytes of one entry at most, with room for what strangers sent to the reporter before it is cut to length.
pub(super) const ENTRY_BYTES_MAX: usize = 8 * 1024;

/// A report that was read. An entry that is refused costs no other one.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The events of the good entries, each with the entry's index.
    pub(super) drafts: Vec<(usize, Draft)>,
    /// What is wrong with the others.
    pub(super) refused: Vec<(usize, EntryFault)>,
}

impl Batch {
    /// Reads a report of `reporter`.
    pub(super) fn read(body: &[u8], reporter: &Reporter) -> Result<Self, BatchFault> {
        let mut batch = Self::default();
        for (index, entry) in entries(body)?.into_iter().enumerate() {
            match draft(entry, reporter) {
                Ok(draft) => batch.drafts.push((index, draft)),
                Err(fault) => batch.refused.push((index, fault)),
            }
        }
        Ok(batch)
    }
}

fn entries(body: &[u8]) -> Result<Vec<&RawValue>, BatchFault> {
    let is_list = body.trim_ascii_start().starts_with(b"[");
    let entries: Vec<&RawValue> = if is_list {
        serde_json::from_slice(body).map_err(|error| malformed(&error))?
    } else {
        vec![serde_json::from_slice(body).map_err(|error| malformed(&error))?]
    };
    match entries.len() {
        0 => Err(BatchFault::Empty),
        1..=ENTRIES_MAX => Ok(entries),
        _ => Err(BatchFault::TooMany),
    }
}

/// Nothing of what the body says is in it: entries are read as they stand.
fn malformed(error: &serde_json::Error) -> BatchFault {
    BatchFault::Malformed(error.to_string())
}

fn draft(entry: &RawValue, reporter: &Reporter) -> Result<Draft, EntryFault> {
    if entry.get().len() > ENTRY_BYTES_MAX {
        return Err(EntryFault::TooLarge);
    }
    let entry: Entry = serde_json::from_str(entry.get()).map_err(|error| EntryFault::malformed(&error))?;
    entry.draft(reporter)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use shared::event::wire;

    use super::*;

    fn reporter() -> Reporter {
        Reporter {
            iss: "https://gate.example".into(),
            sub: "cli_orders".into(),
            client_id: Some("cli_orders".into()),
        }
    }

    fn entry() -> Value {
        json!({"id": "a", "time": "2026-01-31T12:00:00Z", "outcome": "granted", "http": {"method": "GET", "path": "/a"}})
    }

    fn read(body: &Value) -> Result<Batch, BatchFault> {
        Batch::read(body.to_string().as_bytes(), &reporter())
    }

    fn indexes<T>(list: &[(usize, T)]) -> Vec<usize> {
        list.iter().map(|(index, _)| *index).collect()
    }

    #[test]
    fn one_entry_is_a_report_and_so_is_a_list() {
        assert_eq!(indexes(&read(&entry()).unwrap().drafts), [0]);
        assert_eq!(indexes(&read(&json!([entry(), entry()])).unwrap().drafts), [0, 1]);
    }

    #[test]
    fn a_bad_entry_is_named_and_costs_no_other() {
        let large = json!({"id": "x".repeat(ENTRY_BYTES_MAX)});

        let batch = read(&json!([entry(), 7, entry(), {}, large])).unwrap();

        assert_eq!(indexes(&batch.drafts), [0, 2]);
        assert_eq!(indexes(&batch.refused), [1, 3, 4]);
    }

    #[test]
    fn what_is_no_report_is_refused_as_a_whole() {
        assert_eq!(read(&json!([])).unwrap_err(), BatchFault::Empty);
        assert_eq!(read(&json!(vec![entry(); 101])).unwrap_err(), BatchFault::TooMany);
        for body in [&b""[..], b"[", b"[{}", b"{\"a\":\"\xff\"}", b"{} {}"] {
            let fault = Batch::read(body, &reporter()).unwrap_err();
            assert!(matches!(fault, BatchFault::Malformed(told) if told.contains(" at line ")));
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_strange(body: Vec<u8>) {
            drop(Batch::read(&body, &reporter()));
        }

        #[test]
        fn whatever_an_entry_says_its_event_is_a_claim_that_fits_on_the_wire(
            texts in proptest::collection::vec(".{0,400}", 8), status in 100_u16..1000, duration: u64,
        ) {
            let [sub, agent, method, path, reason, route, request_id, note] = texts.try_into().unwrap();
            let entry = json!({
                "id": "a", "time": "2026-01-31T12:00:00Z", "outcome": "denied", "reason": reason,
                "actor": {"sub": sub, "sid": sub}, "client": {"ip": agent, "user_agent": agent},
                "http": {"method": method, "path": path, "route": route, "status": status, "duration_us": duration},
                "trace": {"request_id": request_id}, "detail": {"note": note},
            });
            let batch = read(&entry).unwrap();
            for (_, draft) in batch.drafts {
                proptest::prop_assert_eq!(draft.facts.actor.identity, shared::event::Identity::Claimed);
                proptest::prop_assert_eq!(draft.facts.reporter.as_ref(), Some(&reporter()));
                let source = shared::event::Source {
                    service: "api-service".into(), instance: "a".into(), boot: draft.id,
                };
                let bytes = wire::encode(&draft.numbered(source, 1)).unwrap();
                proptest::prop_assert!(wire::decode(&bytes).is_ok());
            }
        }
    }
}
