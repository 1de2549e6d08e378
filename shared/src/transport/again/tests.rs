//! What is written and left on the disk.

use std::fs::File;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use uuid::Uuid;

use super::disk::Files;
use super::left::{Left, USEFUL_FOR};
use super::{Lacking, LackingStretch};
use crate::clock::UtcMicros;
use crate::event::wire;
use crate::event::{Class, Draft, Facts, Outcome, Source, action};
use crate::transport::Message;

pub(super) const BOOT: Uuid = Uuid::from_u128(1);

/// Events of a door with these numbers.
pub(super) fn numbered(numbers: RangeInclusive<u64>) -> Vec<(u64, Message)> {
    let source = Source {
        service: "api-service".to_owned(),
        instance: "door".to_owned(),
        boot: BOOT,
    };
    let event = |seq| {
        let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Success);
        let draft = Draft::new(UtcMicros::from_seconds(1_700_000_000), facts);
        let event = draft.numbered(source.clone(), seq);
        let message = Message {
            routing_key: event.routing_key(),
            body: wire::encode(&event).unwrap().into(),
        };
        (seq, message)
    };
    numbers.map(event).collect()
}

fn bodies(numbers: RangeInclusive<u64>) -> Vec<Bytes> {
    let events = numbered(numbers).into_iter();
    events.map(|(_, message)| message.body).collect()
}

fn files(dir: &tempfile::TempDir, service: &'static str) -> Files {
    Files::new(dir.path().to_owned(), service)
}

fn written(dir: &tempfile::TempDir, events: &[Bytes]) -> Files {
    let mut files = files(dir, "api-service");
    files.append(events);
    files
}

fn left_in(dir: &Path, service: &'static str) -> Vec<u64> {
    let lacking = Lacking {
        stretches: vec![LackingStretch {
            boot: BOOT,
            first: 1,
            last: u64::MAX,
        }],
    };
    let left = Left::new(dir.to_owned(), service).lacking(&lacking);
    left.iter().map(|(_, seq, _)| *seq).collect()
}

fn paths(dir: &tempfile::TempDir) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir.path()).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn what_is_left_is_read_as_it_was_written_and_stays_for_who_asks_again() {
    let dir = tempfile::tempdir().unwrap();
    let events = numbered(1..=3);
    let bodies: Vec<_> = events.iter().map(|(_, message)| message.body.clone()).collect();
    drop(written(&dir, &bodies));
    let stretch = LackingStretch {
        boot: BOOT,
        first: 2,
        last: 3,
    };
    let lacking = Lacking {
        stretches: vec![stretch],
    };

    for _ in 0..2 {
        let left = files(&dir, "api-service").left.lacking(&lacking);
        let left: Vec<_> = left.into_iter().map(|(_, seq, message)| (seq, message)).collect();
        assert_eq!(left, events[1..]);
    }
}

#[test]
fn what_a_living_producer_holds_is_not_taken_for_left() {
    let dir = tempfile::tempdir().unwrap();
    let living = written(&dir, &bodies(1..=3));

    assert!(left_in(dir.path(), "api-service").is_empty());
    drop(living);
    assert_eq!(left_in(dir.path(), "api-service"), [1, 2, 3]);
}

#[test]
fn a_line_that_is_not_as_it_was_written_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    drop(written(&dir, &bodies(1..=4)));
    let [path] = paths(&dir).try_into().unwrap();
    let mut lines = std::fs::read(&path).unwrap();
    let second = lines.iter().position(|byte| *byte == b'\n').unwrap() + 1;
    // A letter of the second event, and half of the last.
    lines[second + 60] ^= 1;
    lines.truncate(lines.len() - 100);
    std::fs::write(&path, lines).unwrap();

    assert_eq!(left_in(dir.path(), "api-service"), [1, 3]);
}

#[test]
fn events_of_another_service_are_not_sent_as_ones_own() {
    let dir = tempfile::tempdir().unwrap();
    drop(written(&dir, &bodies(1..=1)));
    let mut other = files(&dir, "auth-service");
    other.append(&bodies(2..=2));
    drop(other);

    assert_eq!(left_in(dir.path(), "api-service"), [1]);
    assert!(left_in(dir.path(), "auth-service").is_empty());
}

#[test]
fn a_producer_has_two_files_at_most_and_the_last_events_in_them() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = files(&dir, "api-service");
    let filler: Vec<Bytes> = vec![vec![b'x'; 1 << 20].into(); 17];
    for seq in 1..=4 {
        files.append(&bodies(seq..=seq));
        files.append(&filler);
    }
    files.append(&bodies(5..=5));
    assert_eq!(paths(&dir).len(), 2);
    drop(files);

    let mut left = left_in(dir.path(), "api-service");
    left.sort_unstable();
    assert_eq!(left, [4, 5]);
}

#[test]
fn what_nobody_will_ask_for_is_removed_unless_it_is_held() {
    let dir = tempfile::tempdir().unwrap();
    let grow_old = |path: &PathBuf| {
        let file = File::options().append(true).open(path).unwrap();
        let written = file.metadata().unwrap().modified().unwrap();
        file.set_modified(written - 2 * USEFUL_FOR).unwrap();
    };
    std::fs::write(dir.path().join("api-service.toml"), "").unwrap();
    let living = written(&dir, &bodies(1..=1));
    paths(&dir).iter().for_each(grow_old);

    assert!(left_in(dir.path(), "api-service").is_empty());
    assert_eq!(paths(&dir).len(), 2);
    drop(living);
    assert!(left_in(dir.path(), "api-service").is_empty());
    assert_eq!(paths(&dir), [dir.path().join("api-service.toml")]);
}

#[test]
fn a_folder_that_takes_nothing_costs_no_more_than_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let blocked = dir.path().join("confirmed");
    std::fs::write(&blocked, "").unwrap();
    let mut files = Files::new(blocked.clone(), "api-service");
    files.append(&bodies(1..=1));

    std::fs::remove_file(&blocked).unwrap();
    files.append(&bodies(2..=2));
    drop(files);

    assert_eq!(left_in(&blocked, "api-service"), [2]);
}
