//! What a spool does not take, and says so.

use shared::event::action;
use shared::event::wire::BYTES_MAX;
use shared::spool::{SpoolError, SpoolSettings};
use shared::transport::Bus;

use super::{Log, draft, folders, open_in, open_with, settings};
use crate::support::within;

#[tokio::test]
async fn a_full_spool_refuses_and_takes_again_after_confirms() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let small = SpoolSettings {
        bytes_max: 8 * 1024,
        ..settings(dir.path())
    };
    let (spool, tasks) = open_with(&small, &bus).unwrap();
    let mut taken = 0;
    let refused = loop {
        match spool.append(draft()).await {
            Ok(()) if taken < 1_000 => taken += 1,
            Ok(()) => panic!("it takes without end"),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, SpoolError::Full), "{refused}");
    assert!((5..40).contains(&taken), "{taken} events in 8 KiB");

    let source = spool.source().clone();
    let storing = tokio::spawn(async move {
        log.until(&source, action::BYE).await;
        log
    });
    within("room", async {
        while spool.append(draft()).await.is_err() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    within("the end", tasks.close()).await;

    // What was refused took no number.
    let log = storing.await.unwrap();
    assert_eq!(log.numbers(spool.source()), (1..=taken + 3).collect::<Vec<_>>());
}

#[tokio::test]
async fn boot_and_bye_fit_into_a_full_spool() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let full = SpoolSettings {
        bytes_max: 0,
        ..settings(dir.path())
    };
    let (spool, tasks) = open_with(&full, &bus).unwrap();
    assert!(matches!(spool.append(draft()).await, Err(SpoolError::Full)));

    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;

    assert_eq!(log.numbers(spool.source()), [1, 2]);
    within("the end", closing).await.unwrap();
}

#[tokio::test]
async fn an_event_too_large_is_refused_and_takes_no_number() {
    let (dir, bus) = (tempfile::tempdir().unwrap(), Bus::new());
    let mut log = Log::of(&bus);
    let (spool, tasks) = open_in(dir.path(), &bus);
    let mut large = draft();
    large.facts = large.facts.with_detail("much", "x".repeat(BYTES_MAX));

    let refused = spool.append(large).await.unwrap_err();
    spool.append(draft()).await.unwrap();

    assert!(matches!(refused, SpoolError::Unwritable(_)), "{refused}");
    let closing = tokio::spawn(tasks.close());
    log.until(spool.source(), action::BYE).await;
    assert_eq!(log.numbers(spool.source()), [1, 2, 3]);
    within("the end", closing).await.unwrap();
}

#[tokio::test]
async fn a_folder_that_cannot_be_made_is_an_error_that_names_the_cause() {
    let file = tempfile::NamedTempFile::new().unwrap();

    let error = open_with(&settings(&file.path().join("spool")), &Bus::new()).unwrap_err();

    assert!(matches!(error, SpoolError::Folder(_)), "{error:?}");
    assert!(error.to_string().contains("Not a directory"), "{error}");
}

#[tokio::test]
async fn another_service_s_folder_is_left_to_that_service() {
    let dir = tempfile::tempdir().unwrap();
    let other = SpoolSettings {
        service: "audit-collector",
        ..settings(dir.path())
    };
    let (theirs, _tasks) = open_with(&other, &Bus::new()).unwrap();
    theirs.append(draft()).await.unwrap();
    let image = super::crash_image(dir.path());
    let bus = Bus::new();
    let mut log = Log::of(&bus);

    // The collector believes only the sender that an event names; the log asserts it, too.
    let (spool, _tasks) = open_in(image.path(), &bus);
    log.until(spool.source(), action::BOOT).await;

    assert_eq!(log.of_source(theirs.source()), [] as [&shared::event::Event; 0]);
    assert_eq!(folders(image.path()).len(), 2);
}
