//! A disk that gives back other bytes than it took: what is lost is told by number, and the rest arrives.

use std::path::{Path, PathBuf};

use serde_json::json;
use shared::event::{Draft, Event, Source, action};
use shared::transport::Bus;
use tempfile::TempDir;

use super::{Log, crash_image, draft, folders, open_in};
use crate::support::until;

/// So many events of this size make SQLite move its log into the database, more than once.
const EVENTS: usize = 150;
const EVENT_BYTES: usize = 50_000;

fn marker(number: usize) -> String {
    format!("<event {number}>")
}

fn large(number: usize) -> Draft {
    let mut large = draft();
    let text = marker(number) + &"x".repeat(EVENT_BYTES);
    large.facts = large.facts.with_detail("marker", text);
    large
}

/// Changes one byte of each place in the file where `text` stands.
fn change_byte(path: &Path, text: &str) {
    let mut bytes = std::fs::read(path).unwrap();
    let places: Vec<_> = bytes
        .windows(text.len())
        .enumerate()
        .filter(|(_, window)| *window == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    for at in &places {
        bytes[at + 1] ^= 1;
    }
    // In place: a process that has the file open must see it.
    let mut file = std::fs::File::options().write(true).open(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
}

/// What a boot left, and who it was. The events are in the database, not in its log.
async fn left_by_a_crash() -> (TempDir, Source) {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for number in 0..EVENTS {
        spool.append(large(number)).await.unwrap();
    }
    let image = crash_image(dir.path());
    std::fs::remove_file(file(image.path(), "spool.db-wal")).unwrap();
    (image, spool.source().clone())
}

fn file(dir: &Path, name: &str) -> PathBuf {
    folders(dir)[0].join(name)
}

/// What the next boot forwards, up to what it tells of a damage.
async fn adopted(dir: &Path) -> (Log, Event) {
    let bus = Bus::new();
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(dir, &bus);
    log.until(spool.source(), action::SPOOL_DAMAGED).await;
    let mut told = log.events.iter();
    let told = told.find(|event| event.facts.action == action::SPOOL_DAMAGED);
    let told = told.unwrap().clone();
    (log, told)
}

fn set_aside(dir: &Path) -> Vec<PathBuf> {
    let mut folders = folders(dir);
    folders.retain(|folder| folder.extension().is_some_and(|extension| extension == "damaged"));
    folders
}

async fn until_set_aside(dir: &Path) -> PathBuf {
    until("the folder is set aside", || !set_aside(dir).is_empty()).await;
    set_aside(dir).remove(0)
}

#[tokio::test]
async fn a_changed_byte_costs_one_event_which_is_told_by_its_number() {
    let (image, source) = left_by_a_crash().await;
    change_byte(&file(image.path(), "spool.db"), &marker(40));

    let (log, told) = adopted(image.path()).await;

    let numbers = log.numbers(&source);
    // `boot` is number 1, so that event 40 is number 42.
    let expected: Vec<_> = (1..=*numbers.last().unwrap()).filter(|seq| *seq != 42).collect();
    assert_eq!(numbers, expected);
    assert!(numbers.len() > 80, "{} events", numbers.len());
    assert_eq!(told.facts.reason.as_deref(), Some("record_damaged"));
    assert_eq!(told.facts.detail["last_seq"], json!(41));
    assert_eq!(told.facts.detail["lost"], json!(1));
    assert_eq!(told.facts.detail["boot"], json!(source.boot.to_string()));
    assert_eq!(told.facts.detail["instance"], json!(source.instance));
}

#[tokio::test]
async fn a_damaged_folder_is_set_aside_with_all_that_is_in_it() {
    let (image, _) = left_by_a_crash().await;
    change_byte(&file(image.path(), "spool.db"), &marker(7));
    let bytes = std::fs::read(file(image.path(), "spool.db")).unwrap();

    adopted(image.path()).await;

    let folder = until_set_aside(image.path()).await;
    assert_eq!(std::fs::read(folder.join("spool.db")).unwrap(), bytes);
    let (dir, bus) = (image.path(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir, &bus);
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    closing.await.unwrap();
    assert_eq!(set_aside(dir), [folder], "nobody looks at it again");
    assert!(
        log.events
            .iter()
            .all(|event| event.facts.action != action::SPOOL_DAMAGED)
    );
}

#[tokio::test]
async fn a_changed_byte_in_the_log_is_told_although_sqlite_takes_it_for_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    for number in 0..10 {
        let mut small = draft();
        small.facts = small.facts.with_detail("marker", marker(number));
        spool.append(small).await.unwrap();
    }
    let image = crash_image(dir.path());
    change_byte(&file(image.path(), "spool.db-wal"), &marker(5));

    let (log, told) = adopted(image.path()).await;

    assert_eq!(log.numbers(spool.source()), (1..=6).collect::<Vec<_>>());
    assert_eq!(told.facts.reason.as_deref(), Some("log_damaged"));
    assert_eq!(told.facts.detail["last_seq"], json!(6));
    assert_eq!(told.facts.detail.get("lost"), None, "how many is not known");
}

#[tokio::test]
async fn a_log_of_nothing_but_garbage_is_told() {
    let (image, source) = left_by_a_crash().await;
    std::fs::write(file(image.path(), "spool.db-wal"), vec![0xa5; 40_000]).unwrap();

    let (log, told) = adopted(image.path()).await;

    assert!(log.numbers(&source).len() > 80);
    assert_eq!(told.facts.reason.as_deref(), Some("log_damaged"));
}

#[tokio::test]
async fn a_database_of_nothing_but_garbage_is_told_and_set_aside() {
    let (image, source) = left_by_a_crash().await;
    std::fs::write(file(image.path(), "spool.db"), vec![0xa5; 8_192]).unwrap();

    let (log, told) = adopted(image.path()).await;

    assert_eq!(log.numbers(&source), [0; 0]);
    assert_eq!(told.facts.reason.as_deref(), Some("database_damaged"));
    assert_eq!(told.facts.detail["last_seq"], json!(0));
    assert_eq!(told.facts.detail["boot"], json!(source.boot.to_string()));
    let folder = until_set_aside(image.path()).await;
    assert_eq!(std::fs::read(folder.join("spool.db")).unwrap(), vec![0xa5; 8_192]);
}

#[tokio::test]
async fn a_database_whose_pages_are_damaged_is_told() {
    let (image, _) = left_by_a_crash().await;
    let path = file(image.path(), "spool.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The heads of all pages but the first.
    for page in bytes.chunks_mut(4_096).skip(1) {
        page[..8].fill(0xa5);
    }
    std::fs::write(&path, bytes).unwrap();

    let (_, told) = adopted(image.path()).await;

    assert_eq!(told.facts.reason.as_deref(), Some("database_damaged"));
}

#[tokio::test]
async fn a_live_spool_goes_on_after_a_record_that_it_cannot_read_back() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let (spool, tasks) = open_in(dir.path(), &bus);
    for number in 0..EVENTS {
        spool.append(large(number)).await.unwrap();
    }
    for name in ["spool.db", "spool.db-wal"] {
        change_byte(&file(dir.path(), name), &marker(140));
    }

    let mut log = Log::of(&bus);
    log.until(spool.source(), action::SPOOL_DAMAGED).await;
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    closing.await.unwrap();

    let numbers = log.numbers(spool.source());
    let expected: Vec<_> = (1..=EVENTS as u64 + 3).filter(|seq| *seq != 142).collect();
    assert_eq!(numbers, expected);
    let told = log
        .events
        .iter()
        .find(|event| event.facts.action == action::SPOOL_DAMAGED);
    let told = &told.unwrap().facts;
    assert_eq!(told.detail["last_seq"], json!(141));
    assert_eq!(told.detail["lost"], json!(1));
}
