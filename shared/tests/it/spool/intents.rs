//! An intent is told unless its outcome is: whatever ends the process, there is one event of its id, and no gap in the numbers.

use std::path::Path;
use std::process::{Command, Stdio};

use shared::event::{Class, Draft, Event, Facts, Outcome, action};
use shared::transport::Bus;
use uuid::Uuid;

use super::{Log, crash_image, draft, folders, open_in};
use crate::support::within;

const OUTCOME_UNKNOWN: &str = "outcome_unknown";

/// Tells the test binary to be the process whose disk is full.
const DIR: &str = "SPOOL_TEST_FULL_DISK_DIR";

fn intent() -> Draft {
    let facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Error);
    Draft {
        facts: facts.because(OUTCOME_UNKNOWN),
        ..draft()
    }
}

fn outcome_of(intent: &Draft) -> Draft {
    Draft {
        id: intent.id,
        ..draft()
    }
}

/// All that comes until the next boot in `dir` begins.
async fn adopted(dir: &Path) -> Log {
    let bus = Bus::new();
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(dir, &bus);
    log.until(spool.source(), action::BOOT).await;
    log
}

fn of_id(log: &Log, id: Uuid) -> Vec<&Event> {
    log.events.iter().filter(|event| event.id == id).collect()
}

#[tokio::test]
async fn an_intent_without_its_outcome_is_told_by_the_next_boot_with_the_next_number() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    let intents = [intent(), intent()];
    spool.append(draft()).await.unwrap();
    for intent in &intents {
        spool.intend(intent).await.unwrap();
    }
    spool.append(draft()).await.unwrap();
    let image = crash_image(dir.path());

    let log = adopted(image.path()).await;

    assert_eq!(log.numbers(spool.source()), [1, 2, 3, 4, 5]);
    for intent in &intents {
        let told = of_id(&log, intent.id);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].facts.reason.as_deref(), Some(OUTCOME_UNKNOWN));
        assert_eq!(told[0].time, intent.time);
        assert!(told[0].seq >= 4);
    }
    assert_eq!(folders(image.path()).len(), 1);
}

#[tokio::test]
async fn an_outcome_takes_the_place_of_its_intent() {
    let dir = tempfile::tempdir().unwrap();
    let (spool, _tasks) = open_in(dir.path(), &Bus::new());
    let intent = intent();
    spool.intend(&intent).await.unwrap();
    spool.append(outcome_of(&intent)).await.unwrap();
    let image = crash_image(dir.path());

    let log = adopted(image.path()).await;

    assert_eq!(log.numbers(spool.source()), [1, 2]);
    let told = of_id(&log, intent.id);
    assert_eq!((told.len(), told[0].facts.outcome), (1, Outcome::Granted));
}

#[tokio::test]
async fn the_number_goes_on_after_events_that_are_confirmed_and_gone() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(dir.path(), &bus);
    for _ in 0..20 {
        spool.append(draft()).await.unwrap();
    }
    let last = Facts::new(Class::System, action::UPSTREAM_CHANGED, Outcome::Success);
    spool
        .append(Draft {
            facts: last,
            ..draft()
        })
        .await
        .unwrap();
    log.until(spool.source(), action::UPSTREAM_CHANGED).await;
    let intent = intent();
    // Written after the confirms were heard of, so that what they trim is gone.
    spool.intend(&intent).await.unwrap();
    let image = crash_image(dir.path());

    let log = adopted(image.path()).await;

    assert_eq!(of_id(&log, intent.id)[0].seq, 23);
}

#[tokio::test]
async fn an_orderly_end_tells_what_is_open_before_bye() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    let intent = intent();
    spool.intend(&intent).await.unwrap();

    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    within("the end", closing).await.unwrap();

    assert_eq!(log.numbers(spool.source()), [1, 2, 3]);
    assert_eq!(log.events[1].id, intent.id);
    assert_eq!(folders(dir.path()).len(), 0);
}

/// What a process sees whose files may not grow: its disk is full. Run as a process of its own, since the limit is on all of it.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the variable comes from the parent, and is no setting"
)]
fn child_whose_disk_is_full() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let bus = Bus::new();
        let (spool, tasks) = open_in(Path::new(&dir), &bus);
        let intent = intent();
        spool.intend(&intent).await.unwrap();
        let mut taken = 0;
        while spool.append(draft()).await.is_ok() {
            taken += 1;
            assert!(taken < 10_000, "the disk takes without end");
        }
        // The request was passed on, and its outcome cannot be written.
        spool.append(outcome_of(&intent)).await.unwrap_err();
        assert!(spool.reserve().is_err(), "nothing new is begun");

        let pid = std::process::id().to_string();
        let lifted = Command::new("prlimit")
            .args(["--pid", &pid, "--fsize=unlimited:"])
            .status();
        assert!(lifted.unwrap().success());
        within("room", async {
            while spool.append(draft()).await.is_err() {
                tokio::task::yield_now().await;
            }
        })
        .await;
        let mut log = Log::of(&bus);
        let closing = tokio::spawn(tasks.close());
        log.until(spool.source(), action::BYE).await;
        within("the end", closing).await.unwrap();

        // What was refused took no number, and the intent is told once, as far as it is known.
        assert_eq!(log.numbers(spool.source()), (1..=taken + 4).collect::<Vec<_>>());
        let told = of_id(&log, intent.id);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].facts.reason.as_deref(), Some(OUTCOME_UNKNOWN));
    });
}

#[test]
fn a_disk_that_is_full_after_the_intent_leaves_it_to_be_told_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let module = module_path!().split_once("::").unwrap().1;
    // The signal that comes with the limit must be ignored, as it is for a disk that is full; what is ignored stays so.
    let limited = "trap '' XFSZ; ulimit -S -f 300; exec \"$0\" \"$@\"";

    let output = Command::new("bash")
        .args(["-c", limited])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", &format!("{module}::child_whose_disk_is_full")])
        .env(DIR, dir.path())
        .stdin(Stdio::null())
        .output()
        .unwrap();

    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
}
