//! `kill -9`: no event that a process said it had appended is lost.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use proptest::prelude::*;
use shared::event::{Source, action};
use shared::transport::Bus;
use uuid::Uuid;

use super::{Log, crash_image, draft, folders, open_in};

/// Tells the test binary to be the process that will be killed, and where.
const DIR: &str = "SPOOL_TEST_CHILD_DIR";

/// What the child prints before the id of an event that it has appended.
const APPENDED: &str = "appended ";

/// Appends until it is killed, and says so event by event.
#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "the variable comes from the parent, and is no setting"
)]
fn child_that_appends_until_it_is_killed() {
    let Some(dir) = std::env::var_os(DIR).map(PathBuf::from) else {
        return;
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        // Nobody consumes, so that all of it stays in the spool.
        let (spool, _tasks) = open_in(&dir, &Bus::new());
        let appending = (0..8).map(|_| {
            let spool = spool.clone();
            tokio::spawn(async move {
                loop {
                    let draft = draft();
                    let id = draft.id;
                    spool.append(draft).await.unwrap();
                    let mut stdout = std::io::stdout().lock();
                    stdout.write_all(format!("{APPENDED}{id}\n").as_bytes()).unwrap();
                    stdout.flush().unwrap();
                }
            })
        });
        futures_util::future::join_all(appending).await;
    });
}

fn start_child(dir: &std::path::Path) -> Child {
    let module = module_path!().split_once("::").unwrap().1;
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            &format!("{module}::child_that_appends_until_it_is_killed"),
            "--nocapture",
        ])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The ids that the child had said to have appended, once it was killed after `count` of them.
fn killed_after(count: usize, dir: &std::path::Path) -> Vec<Uuid> {
    let mut child = start_child(dir);
    let mut appended = Vec::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        // The last line may be cut, as the process was.
        let line = line.unwrap();
        let id = line
            .rsplit_once(APPENDED)
            .and_then(|(_, id)| Uuid::try_parse(id).ok());
        appended.extend(id);
        if appended.len() == count {
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(appended.len() >= count, "the child ended by itself");
    appended
}

/// Everything that the next boot in `dir` finds there, and who left it.
async fn adopted(dir: &std::path::Path) -> (Log, Source) {
    let bus = Bus::new();
    let mut log = Log::of(&bus);
    let (spool, _tasks) = open_in(dir, &bus);
    // What was left comes before the own first event.
    log.until(spool.source(), action::BOOT).await;
    (log, spool.source().clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_appended_dies_with_its_process() {
    for _ in 0..4 {
        let dir = tempfile::tempdir().unwrap();
        let count = 1 + usize::from(Uuid::new_v4().as_bytes()[0]) * 3;
        let appended = killed_after(count, dir.path());

        let (log, own) = adopted(dir.path()).await;

        let left: Vec<_> = log.events.iter().filter(|event| event.source != own).collect();
        let numbers: Vec<_> = left.iter().map(|event| event.seq).collect();
        assert_eq!(numbers, (1..=left.len() as u64).collect::<Vec<_>>());
        assert!(left.windows(2).all(|pair| pair[0].source == pair[1].source));
        assert_eq!(left[0].facts.action, action::BOOT);
        for id in appended {
            assert!(left.iter().any(|event| event.id == id), "{id} is lost");
        }
        assert_eq!(folders(dir.path()).len(), 1, "the folder of the dead is removed");
    }
}

#[tokio::test]
async fn a_boot_that_died_before_it_wrote_anything_is_cleared_away() {
    let dir = tempfile::tempdir().unwrap();
    let empty = dir
        .path()
        .join(format!("{}.{}.boot", super::SERVICE, Uuid::new_v4()));
    std::fs::create_dir(&empty).unwrap();
    std::fs::write(empty.join("lock"), "").unwrap();

    let (log, own) = adopted(dir.path()).await;

    assert!(log.events.iter().all(|event| event.source == own));
    assert!(!empty.exists());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn any_row_of_crashes_loses_nothing(boots in proptest::collection::vec(0_u64..30, 1..5)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let lost = runtime.block_on(async {
            let mut dir = tempfile::tempdir().unwrap();
            let mut sources = Vec::new();
            for appends in &boots {
                // Nobody confirms, so that each boot leaves its own and all former folders.
                let (spool, _tasks) = open_in(dir.path(), &Bus::new());
                for _ in 0..*appends {
                    spool.append(draft()).await.unwrap();
                }
                sources.push((spool.source().clone(), *appends));
                let image = crash_image(dir.path());
                dir = image;
            }
            let (log, _own) = adopted(dir.path()).await;
            sources.retain(|(source, appends)| log.numbers(source) != (1..=appends + 1).collect::<Vec<_>>());
            sources
        });
        prop_assert!(lost.is_empty(), "{:?}", lost);
    }
}
