//! What becomes of batches: stored, ignored, or kept apart.

use audit_collector::dead_letter::DeadLetter;
use audit_collector::event_log::{Appended, Arrival};
use bytes::Bytes;
use shared::event::{Class, Draft, Reporter, stable_event_id, wire};

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts, requests};

on_both_databases!(
    a_batch_is_stored_with_its_bytes,
    the_same_event_again_is_ignored,
    another_event_with_a_known_id_is_a_dead_letter,
    what_a_service_reports_twice_is_one_row_and_its_number_is_kept,
    an_id_is_unique_over_all_classes,
    a_dead_letter_keeps_64_kib_and_the_size_of_all,
    a_dead_letter_that_comes_again_is_one_row,
    only_a_source_s_own_dead_letters_fill_its_numbers,
    a_wrong_clock_is_stored_and_marked,
    collectors_that_store_the_same_events_at_once_store_them_once,
);

fn stored(count: usize) -> Appended {
    Appended {
        stored: count,
        ..Appended::default()
    }
}

async fn a_batch_is_stored_with_its_bytes(database: &TestDatabase) {
    let log = database.log().await;
    let batch = requests(150);

    let appended = log.append(&batch, &[], NOW).await.unwrap();

    assert_eq!(appended, stored(150));
    let rows: Vec<(i32, Vec<u8>)> = database
        .rows("SELECT ordinal, body FROM event ORDER BY ordinal")
        .await;
    let expected: Vec<_> = batch
        .iter()
        .zip(0..)
        .map(|(arrival, ordinal)| (ordinal, arrival.body.to_vec()))
        .collect();
    assert_eq!(rows, expected);
    assert_eq!(
        database
            .number("SELECT COUNT(*) FROM batch WHERE events = 150")
            .await,
        1
    );
}

async fn the_same_event_again_is_ignored(database: &TestDatabase) {
    let log = database.log().await;
    let mut batch = requests(3);
    batch.push(batch[0].clone());

    let first = log.append(&batch, &[], NOW).await.unwrap();
    let second = log.append(&batch, &[], at(1)).await.unwrap();

    assert_eq!((first.stored, first.duplicates), (3, 1));
    assert_eq!((second.stored, second.duplicates), (0, 4));
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 3);
    assert_eq!(database.number("SELECT COUNT(*) FROM batch").await, 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_letter").await, 0);
}

/// The same id with other content.
fn forged(first: &Arrival, class: Class) -> Arrival {
    let mut facts = request_facts();
    facts.class = class;
    facts.actor.sub = Some("usr_mallory".into());
    let draft = Draft {
        id: first.event.id,
        time: first.event.time,
        facts,
    };
    arrival(draft.numbered(first.event.source.clone(), 2))
}

async fn another_event_with_a_known_id_is_a_dead_letter(database: &TestDatabase) {
    let log = database.log().await;
    let batch = requests(2);
    log.append(&batch, &[], NOW).await.unwrap();
    let (later, new) = (
        forged(&batch[0], Class::Access),
        arrival(event(at(9), request_facts())),
    );
    let within = forged(&new, Class::Access);

    let appended = log
        .append(&[later.clone(), new.clone(), within], &[], at(1))
        .await
        .unwrap();

    assert_eq!(appended.stored, 1);
    assert_eq!(appended.conflicts, [later.event.id, new.event.id]);
    let letters: Vec<(String, Vec<u8>)> = database
        .rows("SELECT reason, body FROM dead_letter ORDER BY id")
        .await;
    assert!(letters.iter().all(|(reason, _)| reason == "id_conflict"));
    assert!(letters.iter().any(|(_, body)| *body == later.body));
    let kept: Vec<(Vec<u8>,)> = database.rows("SELECT body FROM event").await;
    assert!(
        kept.iter().any(|(body,)| *body == batch[0].body),
        "the first one stays"
    );
}

async fn what_a_service_reports_twice_is_one_row_and_its_number_is_kept(database: &TestDatabase) {
    let log = database.log().await;
    let reported = |number| {
        let mut facts = request_facts();
        facts.reporter = Some(Reporter::default());
        let first = event(NOW, facts.clone());
        let draft = Draft {
            id: stable_event_id(NOW, &[1; 10]),
            time: NOW,
            facts,
        };
        arrival(draft.numbered(first.source, number))
    };
    let again = reported(2);
    log.append(&[reported(1)], &[], NOW).await.unwrap();

    let appended = log
        .append(std::slice::from_ref(&again), &[], at(1))
        .await
        .unwrap();

    assert_eq!((appended.stored, appended.repeats), (0, 1));
    assert!(appended.conflicts.is_empty());
    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 1);
    let letters: Vec<(String, Vec<u8>)> = database.rows("SELECT reason, body FROM dead_letter").await;
    assert_eq!(letters, [("repeated".to_owned(), again.body.to_vec())]);
}

async fn an_id_is_unique_over_all_classes(database: &TestDatabase) {
    let log = database.log().await;
    let batch = requests(1);
    log.append(&batch, &[], NOW).await.unwrap();

    let appended = log
        .append(&[forged(&batch[0], Class::Auth)], &[], NOW)
        .await
        .unwrap();

    assert_eq!((appended.stored, appended.conflicts.len()), (0, 1));
}

async fn a_dead_letter_keeps_64_kib_and_the_size_of_all(database: &TestDatabase) {
    let log = database.log().await;
    let letter = DeadLetter {
        reason: "oversized",
        publisher: Some("api-service".into()),
        body: Bytes::from(vec![0xff; 100_000]),
    };
    let anonymous = DeadLetter {
        reason: "malformed",
        publisher: None,
        body: Bytes::new(),
    };

    log.append(&requests(1), &[letter, anonymous], NOW).await.unwrap();

    let rows: Vec<(String, Option<String>, Vec<u8>, i32)> = database
        .rows("SELECT reason, publisher, body, body_bytes FROM dead_letter ORDER BY body_bytes DESC")
        .await;
    assert_eq!(rows[0].2.len(), 65_536);
    assert_eq!(rows[0].3, 100_000);
    assert_eq!(rows[0].1.as_deref(), Some("api-service"));
    assert_eq!(rows[1], ("malformed".into(), None, Vec::new(), 0));
}

async fn a_wrong_clock_is_stored_and_marked(database: &TestDatabase) {
    let log = database.log().await;
    let batch =
        [at(301), at(299), at(-604_801), at(-604_799)].map(|time| arrival(event(time, request_facts())));

    let appended = log.append(&batch, &[], NOW).await.unwrap();

    assert_eq!(appended, stored(4));
    let marks: Vec<(bool,)> = database
        .rows("SELECT time_suspect FROM event ORDER BY ordinal")
        .await;
    assert_eq!(marks, [(true,), (false,), (true,), (false,)]);
}

async fn collectors_that_store_the_same_events_at_once_store_them_once(database: &TestDatabase) {
    let (one, two) = (database.log().await, database.log().await);

    for _ in 0..20 {
        let batch = requests(40);
        let mut reversed = batch.clone();
        reversed.reverse();
        let (first, second) = tokio::join!(one.append(&batch, &[], NOW), two.append(&reversed, &[], NOW));
        let (first, second) = (first.unwrap(), second.unwrap());
        assert_eq!(first.stored + second.stored, 40);
        assert_eq!(first.duplicates + second.duplicates, 40);
    }

    assert_eq!(database.number("SELECT COUNT(*) FROM event").await, 20 * 40);
    assert_eq!(
        database.number("SELECT COUNT(DISTINCT id) FROM event").await,
        20 * 40
    );
    assert_eq!(database.number("SELECT SUM(events) FROM batch").await, 20 * 40);
}

async fn a_dead_letter_that_comes_again_is_one_row(database: &TestDatabase) {
    let log = database.log().await;
    let letter = |publisher: &str| DeadLetter {
        reason: "malformed",
        publisher: Some(publisher.into()),
        body: Bytes::from_static(b"garbage"),
    };

    log.append(&[], &[letter("api-service")], NOW).await.unwrap();
    log.append(&[], &[letter("api-service"), letter("auth-service")], at(1))
        .await
        .unwrap();

    let rows: Vec<(String, i32, i64, i64)> = database
        .rows("SELECT publisher, times, received_at, last_received_at FROM dead_letter ORDER BY publisher")
        .await;
    let (first, second) = (NOW.as_micros(), at(1).as_micros());
    assert_eq!(
        rows,
        [
            ("api-service".to_owned(), 2, first, second),
            ("auth-service".to_owned(), 1, second, second)
        ]
    );
}

async fn only_a_source_s_own_dead_letters_fill_its_numbers(database: &TestDatabase) {
    let log = database.log().await;
    let of_door = event(NOW, request_facts());
    let text = String::from_utf8(wire::encode(&of_door).unwrap()).unwrap();
    let unknown = Bytes::from(text.replace(".v1", ".v9"));
    let letter = |publisher: Option<&str>, body: &Bytes| DeadLetter {
        reason: "unknown_version",
        publisher: publisher.map(str::to_owned),
        body: body.clone(),
    };

    let foreign = [letter(None, &unknown), letter(Some("auth-service"), &unknown)];
    log.append(&[], &foreign, NOW).await.unwrap();
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_number").await, 0);
    let own = [letter(Some("api-service"), &unknown)];
    log.append(&[], &own, NOW).await.unwrap();
    log.append(&[], &own, NOW).await.unwrap();

    let rows: Vec<(String, uuid::Uuid, i64)> =
        database.rows("SELECT service, boot, seq FROM dead_number").await;
    assert_eq!(rows, [("api-service".to_owned(), of_door.source.boot, 1)]);
}
