//! What people see of a spool, beside a process that uses it.

use std::path::Path;

use shared::event::{Draft, Facts, wire};
use shared::spool::inspect::{Inspection, inspect};
use shared::transport::Bus;

use super::{SERVICE, crash_image, draft, folders, open_in};

fn seen(dir: &Path, inspection: Inspection) -> (bool, String) {
    let mut out = Vec::new();
    let is_sound = inspect(dir, SERVICE, None, inspection, &mut out).unwrap();
    (is_sound, String::from_utf8(out).unwrap())
}

#[tokio::test]
async fn a_live_folder_and_what_a_crash_left_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for _ in 0..3 {
        spool.append(draft()).await.unwrap();
    }
    spool.intend(&draft()).await.unwrap();

    let (is_sound, live) = seen(dir.path(), Inspection::List);
    let (_, left) = seen(crash_image(dir.path()).path(), Inspection::List);

    assert!(is_sound);
    let source = spool.source().to_string();
    assert!(
        live.starts_with(&format!("{source} live: events 1 to 4, ")),
        "{live}"
    );
    assert!(live.contains(", 1 intents open: sound"), "{live}");
    assert!(
        left.starts_with(&format!("{source} abandoned: events 1 to 4, ")),
        "{left}"
    );
    spool.append(draft()).await.unwrap();
}

#[tokio::test]
async fn the_events_are_shown_as_they_are_on_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    let appended = draft();
    spool.append(appended.clone()).await.unwrap();

    let (_, shown) = seen(dir.path(), Inspection::Show);

    let events: Vec<_> = shown
        .lines()
        .map(|line| wire::decode(line.as_bytes()).unwrap())
        .collect();
    assert_eq!(events.len(), 2);
    assert_eq!(events[1].id, appended.id);
}

#[tokio::test]
async fn damage_is_told_by_number_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    // Large enough for SQLite to move its log into the database.
    for number in 0..150 {
        let text = format!("<event {number}>") + &"x".repeat(50_000);
        let facts: Facts = draft().facts.with_detail("marker", text);
        spool.append(Draft { facts, ..draft() }).await.unwrap();
    }
    let image = crash_image(dir.path());
    let folder = folders(image.path()).remove(0);
    std::fs::remove_file(folder.join("spool.db-wal")).unwrap();
    let mut bytes = std::fs::read(folder.join("spool.db")).unwrap();
    let at = bytes
        .windows(10)
        .position(|window| window == b"<event 40>")
        .unwrap();
    bytes[at] ^= 1;
    std::fs::write(folder.join("spool.db"), &bytes).unwrap();

    let (is_sound, told) = seen(image.path(), Inspection::Verify);

    assert!(!is_sound);
    assert!(
        told.contains("after event 41: a record has another checksum"),
        "{told}"
    );
    assert_eq!(std::fs::read(folder.join("spool.db")).unwrap(), bytes);
}

#[tokio::test]
async fn no_terminal_takes_what_a_stranger_sent_for_commands() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    let facts = draft().facts.with_detail("marker", "\u{9b}31m\u{85}");
    spool.append(Draft { facts, ..draft() }).await.unwrap();

    let (_, shown) = seen(dir.path(), Inspection::Show);

    assert!(shown.contains(r"\u009b31m\u0085"), "{shown}");
    assert!(
        !shown.lines().any(|line| line.contains(char::is_control)),
        "{shown}"
    );
}

#[tokio::test]
async fn what_cannot_be_read_of_a_log_to_its_end_is_told_of_a_folder_that_nobody_holds() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for number in 0..6 {
        let facts = draft().facts.with_detail("marker", format!("<event {number}>"));
        spool.append(Draft { facts, ..draft() }).await.unwrap();
    }
    let image = crash_image(dir.path());
    assert!(seen(image.path(), Inspection::Verify).0);
    let log = folders(image.path()).remove(0).join("spool.db-wal");
    let mut bytes = std::fs::read(&log).unwrap();
    while let Some(at) = bytes.windows(9).position(|window| window == b"<event 2>") {
        bytes[at] ^= 1;
    }
    std::fs::write(&log, &bytes).unwrap();

    let (is_sound, told) = seen(image.path(), Inspection::Verify);

    assert!(!is_sound, "{told}");
    assert!(
        told.contains("after event 3: the end of the write-ahead log cannot be read"),
        "{told}"
    );
    assert_eq!(std::fs::read(&log).unwrap(), bytes);
}
