//! Completeness, from the log itself: what is missing is named, told once, and forgotten when it comes.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::completeness::{self, Completeness, Counting, Kind, Verdict, completeness};
use audit_collector::dead_letter::DeadLetter;
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::import::Importer;
use audit_collector::search::Period;
use audit_collector::sequencing;
use bytes::Bytes;
use serde_json::Value;
use shared::clock::{Clock as _, ManualClock, UtcMicros};
use shared::event::{Class, Draft, Event, IMPORT_SERVICE, Source, action, wire};
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, RunningHash, Spool, SpoolSettings, SpoolTasks, own_draft};
use shared::transport::{Bus, Consumer, Lacking, LackingStretch, Listener, Transport, Word};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, request_facts};
use crate::harness::eventually;
use crate::pseudonyms::pseudonyms;

on_both_databases!(
    a_source_that_lost_nothing_is_complete,
    nothing_is_known_where_nobody_was_heard,
    missing_numbers_are_named_told_once_and_closed,
    numbers_that_stay_missing_are_asked_for_until_they_come,
    dead_letters_fill_their_numbers_and_nobody_else_s,
    bytes_that_were_changed_before_they_were_counted_are_found,
    events_with_pseudonyms_are_checked_by_what_their_source_sent,
    an_event_with_pseudonyms_that_was_changed_where_it_is_kept_is_found,
    what_no_key_opens_is_not_taken_for_changed,
    a_source_that_misses_its_beats_is_silent_until_it_speaks_again,
    a_boot_that_was_replaced_without_a_bye_has_an_unknown_tail,
    what_was_counted_outlives_the_events,
    an_event_under_a_number_that_another_had_is_found,
    an_hour_s_statement_says_what_came_of_whom,
    imported_events_are_nobody_s_numbers,
);

const GAP_AFTER: Duration = Duration::from_mins(2);

/// A source that numbers and hashes as a spool does.
struct TestSource {
    source: Source,
    seq: u64,
    hash: RunningHash,
}

impl TestSource {
    fn new(service: &str) -> Self {
        Self {
            source: Source {
                service: service.into(),
                instance: "one".into(),
                boot: Uuid::new_v4(),
            },
            seq: 0,
            hash: RunningHash::default(),
        }
    }

    fn number(&mut self, draft: Draft) -> Arrival {
        self.seq += 1;
        let arrival = arrival(draft.numbered(self.source.clone(), self.seq));
        self.hash = self.hash.after(&arrival.body);
        arrival
    }

    fn own(&mut self, name: &str, second: i64) -> Arrival {
        let draft = own_draft(name, self.seq, self.hash, at(second));
        self.number(draft)
    }

    fn request(&mut self, second: i64) -> Arrival {
        self.number(Draft::new(at(second), request_facts()))
    }

    /// `boot`, some requests and a heartbeat, ten seconds in all.
    fn begin(&mut self, requests: i64) -> Vec<Arrival> {
        let mut events = vec![self.own(action::BOOT, 0)];
        events.extend((0..requests).map(|_| self.request(5)));
        events.push(self.own(action::HEARTBEAT, 10));
        events
    }
}

/// A collector that puts the log in order and counts it.
struct Counter<'d> {
    database: &'d TestDatabase,
    log: EventLog,
    clock: Arc<ManualClock>,
    told: Consumer,
    asked: Listener,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    spool: (TempDir, Spool, SpoolTasks),
}

impl<'d> Counter<'d> {
    async fn start(database: &'d TestDatabase) -> Self {
        Self::start_on(database.log().await, database)
    }

    /// The same with what stands beside the events of this log.
    fn start_on(log: EventLog, database: &'d TestDatabase) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let folder = TempDir::new().unwrap();
        let transport = Transport::InProcess(Bus::new());
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 10_000_000,
        };
        let (spool, spool_tasks) = spool::open(&settings, &transport, clock.clone()).unwrap();
        let counting = Counting {
            transport: transport.clone(),
            spool: spool.clone(),
            clock: clock.clone(),
            gap_after: GAP_AFTER,
        };
        let stop = CancellationToken::new();
        let tasks = vec![
            tokio::spawn(sequencing::run(log.clone(), stop.clone())),
            tokio::spawn(completeness::run(log.clone(), counting, stop.clone())),
        ];
        Self {
            database,
            log,
            clock,
            told: transport.consumer(100),
            asked: transport.listener(Word::Lacking),
            stop,
            tasks,
            spool: (folder, spool, spool_tasks),
        }
    }

    async fn append(&self, events: &[Arrival], recorded_at: UtcMicros) {
        if !events.is_empty() {
            self.log.append(events, &[], recorded_at).await.unwrap();
        }
        self.counted().await;
    }

    async fn bury(&self, body: &Bytes, publisher: &str) {
        let letter = DeadLetter {
            reason: "unknown_version",
            publisher: Some(publisher.into()),
            body: body.clone(),
        };
        self.log.append(&[], &[letter], NOW).await.unwrap();
    }

    /// Waits until everything has been counted.
    async fn counted(&self) {
        eventually("the log is counted", || async {
            let unordered = "SELECT COUNT(*) FROM batch WHERE first_position IS NULL";
            let is_ordered = self.database.number(unordered).await == 0;
            (is_ordered && self.answer(Period::default()).await.lag == 0).then_some(())
        })
        .await;
    }

    async fn answer(&self, period: Period) -> Completeness {
        let settled_before = self.clock.now().minus(GAP_AFTER);
        completeness(self.log.database(), &period, settled_before)
            .await
            .unwrap()
    }

    /// Waits for an answer that `is` so.
    async fn until(&self, what: &str, is: impl Fn(&Completeness) -> bool) -> Completeness {
        eventually(what, || async {
            Some(self.answer(Period::default()).await).filter(|answer| is(answer))
        })
        .await
    }

    /// What producers are asked for next.
    async fn next_asked(&mut self) -> Vec<LackingStretch> {
        let asked = tokio::time::timeout(Duration::from_secs(20), self.asked.hear()).await;
        let body = asked.expect("nobody was asked").unwrap();
        serde_json::from_slice::<Lacking>(&body).unwrap().stretches
    }

    /// The next finding that was told.
    async fn next_told(&mut self) -> Event {
        loop {
            let receiving = self.told.receive(1, Duration::ZERO);
            let received = tokio::time::timeout(Duration::from_secs(20), receiving).await;
            let delivery = received.expect("nothing was told").unwrap().remove(0);
            let event = wire::decode(&delivery.body).unwrap();
            self.told.acknowledge(vec![delivery.receipt]).await.unwrap();
            let is_own = [action::BOOT, action::HEARTBEAT].contains(&event.facts.action.as_str());
            if !is_own {
                assert_eq!(event.facts.class, Class::System);
                return event;
            }
        }
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    /// Ends and returns the actions of all that was told.
    async fn end_with_told(mut self) -> Vec<String> {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
        let (_folder, spool, spool_tasks) = self.spool;
        let closing = tokio::spawn(spool_tasks.close());
        drop(spool);
        let mut told: Vec<String> = Vec::new();
        while told.last().is_none_or(|last| last != action::BYE) {
            for delivery in self.told.receive(1, Duration::ZERO).await.unwrap() {
                told.push(wire::decode(&delivery.body).unwrap().facts.action);
                self.told.acknowledge(vec![delivery.receipt]).await.unwrap();
            }
        }
        closing.await.unwrap();
        told
    }
}

fn kinds(answer: &Completeness) -> Vec<Kind> {
    answer.findings.iter().map(|finding| finding.kind).collect()
}

fn numbers(event: &Event) -> (String, Value, Value) {
    let detail = &event.facts.detail;
    (
        event.facts.action.clone(),
        detail["first"].clone(),
        detail["last"].clone(),
    )
}

async fn numbers_that_stay_missing_are_asked_for_until_they_come(database: &TestDatabase) {
    let mut counter = Counter::start(database).await;
    let mut source = TestSource::new("api-service");
    let events = source.begin(4);
    let boot = source.source.boot;
    let stretch = |first, last| LackingStretch { boot, first, last };
    counter
        .append(&[&events[..1], &events[3..4], &events[5..]].concat(), NOW)
        .await;

    counter.clock.advance(Duration::from_secs(5));
    assert_eq!(counter.next_asked().await, [stretch(2, 3), stretch(5, 5)]);
    counter.clock.advance(Duration::from_secs(9));
    counter.append(&events[1..2], at(20)).await;
    counter.clock.advance(Duration::from_secs(1));
    assert_eq!(
        counter.next_asked().await,
        [stretch(3, 3), stretch(5, 5)],
        "ten seconds later, what is missing still"
    );

    counter
        .append(&[&events[2..3], &events[4..5]].concat(), at(21))
        .await;
    assert_eq!(counter.answer(Period::default()).await.verdict, Verdict::Complete);
    let more = source.request(30);
    drop(source.request(31));
    counter.append(&[more, source.request(32)], at(32)).await;
    counter.clock.advance(Duration::from_mins(1));
    assert_eq!(
        counter.next_asked().await,
        [stretch(8, 8)],
        "and nothing that came"
    );
    counter.end().await;
}

async fn nothing_is_known_where_nobody_was_heard(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let nobody = counter.answer(Period::default()).await;
    assert_eq!((nobody.verdict, nobody.complete), (Verdict::Unknown, false));

    let mut door = TestSource::new("api-service");
    counter.append(&door.begin(5), NOW).await;
    let before = Period {
        from: None,
        to: Some(at(0)),
    };

    assert_eq!(counter.answer(before).await.verdict, Verdict::Unknown);
    assert_eq!(counter.answer(Period::default()).await.verdict, Verdict::Complete);
    counter.end().await;
}

async fn a_source_that_lost_nothing_is_complete(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    let mut events = door.begin(40);
    events.reverse();

    counter.append(&events, NOW).await;
    let live = counter.answer(Period::default()).await;
    assert!(live.complete, "{live:?}");
    assert_eq!((live.known_until, live.sources.live), (Some(at(10)), 1));
    let later = Period {
        from: None,
        to: Some(at(11)),
    };
    assert!(
        !counter.answer(later.clone()).await.complete,
        "nobody knows of that yet"
    );

    counter.append(&[door.own(action::BYE, 11)], NOW).await;
    let ended = counter.answer(later).await;
    assert!(ended.complete, "{ended:?}");
    assert_eq!((ended.known_until, ended.sources.ended), (None, 1));
    counter.end().await;
}

async fn missing_numbers_are_named_told_once_and_closed(database: &TestDatabase) {
    let mut counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    let events = door.begin(10);
    let lost = [&events[2..4], &events[7..8]].concat();
    let kept: Vec<_> = events
        .iter()
        .filter(|one| lost.iter().all(|lost| lost.event.id != one.event.id))
        .cloned()
        .collect();
    counter.append(&kept, NOW).await;

    gaps_are_named(&mut counter).await;

    counter.end().await;
    let mut next = Counter::start(database).await;
    next.clock.advance(GAP_AFTER);
    next.append(&lost[1..2], at(200)).await;
    next.append(&lost[..1], at(201)).await;
    assert_eq!(
        numbers(&next.next_told().await),
        ("log_gap_closed".into(), 3.into(), 4.into()),
        "the gap of 8 was told before"
    );
    next.append(&lost[2..], at(202)).await;
    assert_eq!(
        numbers(&next.next_told().await),
        ("log_gap_closed".into(), 8.into(), 8.into())
    );
    let whole = next.answer(Period::default()).await;
    assert!(whole.complete, "also the hashes meet: {whole:?}");
    next.end().await;
}

async fn gaps_are_named(counter: &mut Counter<'_>) {
    let fresh = counter.answer(Period::default()).await;
    assert!(fresh.complete, "they may be on their way: {fresh:?}");
    assert_eq!(fresh.known_until, Some(at(5)));
    counter.clock.advance(GAP_AFTER);
    let answer = counter
        .until("both gaps are named", |answer| !answer.complete)
        .await;
    let found: Vec<_> = answer
        .findings
        .iter()
        .map(|finding| (finding.kind, finding.first, finding.last, finding.count))
        .collect();
    assert_eq!(
        found,
        [
            (Kind::Gap, Some(3), Some(4), Some(2)),
            (Kind::Gap, Some(8), Some(8), Some(1))
        ]
    );
    assert_eq!((answer.missing, answer.findings[0].after), (3, Some(at(5))));
    let before = Period {
        from: None,
        to: Some(at(5)),
    };
    assert!(counter.answer(before).await.complete);
    assert_eq!(
        numbers(&counter.next_told().await),
        ("log_gap".into(), 3.into(), 4.into())
    );
    assert_eq!(
        numbers(&counter.next_told().await),
        ("log_gap".into(), 8.into(), 8.into())
    );
}

async fn dead_letters_fill_their_numbers_and_nobody_else_s(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    let events = door.begin(3);
    let kept = [&events[..2], &events[3..]].concat();
    counter.append(&kept, NOW).await;
    counter.clock.advance(GAP_AFTER);
    counter
        .until("the gap is named", |answer| answer.missing == 1)
        .await;

    counter.bury(&events[2].body, "auth-service").await;
    counter.append(&[door.request(12)], at(12)).await;
    assert_eq!(counter.answer(Period::default()).await.missing, 1);
    counter.bury(&events[2].body, "api-service").await;

    let answer = counter.until("the gap is filled", |answer| answer.complete).await;
    assert_eq!(answer.findings, []);
    assert_eq!(database.number("SELECT COUNT(*) FROM dead_number").await, 0);
    counter.end().await;
}

async fn bytes_that_were_changed_before_they_were_counted_are_found(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    let mut events = door.begin(5);
    let text = String::from_utf8(events[3].body.to_vec()).unwrap();
    let forged = text.replace("usr_alice", "usr_mally");
    events[3] = Arrival {
        event: wire::decode(forged.as_bytes()).unwrap().into(),
        body: forged.into(),
    };
    counter.append(&events, NOW).await;
    counter
        .append(&[door.request(15), door.own(action::HEARTBEAT, 20)], at(20))
        .await;

    let answer = counter.answer(Period::default()).await;

    assert_eq!(kinds(&answer), [Kind::Altered], "{answer:?}");
    assert_eq!(
        (answer.findings[0].first, answer.findings[0].last),
        (Some(1), Some(6))
    );
    counter.end().await;
}

async fn events_with_pseudonyms_are_checked_by_what_their_source_sent(database: &TestDatabase) {
    let log = database.log().await.with_pseudonyms(Some(pseudonyms(&['a'])));
    let mut door = TestSource::new("api-service");
    log.append(&door.begin(5), &[], NOW).await.unwrap();

    let counter = Counter::start_on(log, database);
    counter.append(&[door.own(action::HEARTBEAT, 20)], at(20)).await;

    let answer = counter.answer(Period::default()).await;
    assert_eq!(answer.verdict, Verdict::Complete, "{answer:?}");
    assert_eq!(
        database
            .number("SELECT COUNT(*) FROM event WHERE sealed IS NOT NULL")
            .await,
        5
    );
    counter.end().await;
}

async fn an_event_with_pseudonyms_that_was_changed_where_it_is_kept_is_found(database: &TestDatabase) {
    let disguised = async || database.log().await.with_pseudonyms(Some(pseudonyms(&['a'])));
    let mut door = TestSource::new("api-service");
    let events = [door.begin(5), vec![door.own(action::HEARTBEAT, 20)]].concat();
    disguised().await.append(&events, &[], NOW).await.unwrap();
    let changed = if database.is_server() {
        "convert_to(replace(convert_from(body, 'UTF8'), 'usr_alice', 'usr_mally'), 'UTF8')"
    } else {
        "CAST(replace(CAST(body AS TEXT), 'usr_alice', 'usr_mally') AS BLOB)"
    };
    database
        .change(&format!("UPDATE event SET body = {changed} WHERE seq = 4"))
        .await;

    let counter = Counter::start_on(disguised().await, database);
    counter.counted().await;

    let answer = counter.answer(Period::default()).await;
    assert_eq!(kinds(&answer), [Kind::Altered], "{answer:?}");
    counter.end().await;
}

async fn what_no_key_opens_is_not_taken_for_changed(database: &TestDatabase) {
    let log = database.log().await;
    let mut door = TestSource::new("api-service");
    let events = [door.begin(5), vec![door.own(action::HEARTBEAT, 20)]].concat();
    let disguising = log.clone().with_pseudonyms(Some(pseudonyms(&['a'])));
    disguising.append(&events, &[], NOW).await.unwrap();

    let counter = Counter::start_on(
        database.log().await.with_pseudonyms(Some(pseudonyms(&['b']))),
        database,
    );
    counter.counted().await;

    let answer = counter.answer(Period::default()).await;
    assert_eq!(kinds(&answer), [], "{answer:?}");
    counter.end().await;
}

/// The beats of a collector, by which silence is measured.
async fn beat(counter: &Counter<'_>, collector: &mut TestSource, seconds: impl Iterator<Item = i64>) {
    for second in seconds {
        let beat = collector.own(action::HEARTBEAT, second);
        counter.append(&[beat], at(second)).await;
    }
}

async fn a_source_that_misses_its_beats_is_silent_until_it_speaks_again(database: &TestDatabase) {
    let mut counter = Counter::start(database).await;
    let (mut door, mut collector) = (TestSource::new("api-service"), TestSource::new("audit-collector"));
    counter.append(&collector.begin(0), at(10)).await;
    counter.append(&door.begin(1), at(10)).await;

    // A backlog of an hour makes nobody silent.
    beat(&counter, &mut collector, std::iter::once(3600)).await;
    assert_eq!(counter.answer(Period::default()).await.sources.silent, 0);
    beat(&counter, &mut collector, [3610, 3620, 3630].into_iter()).await;

    let answer = counter.answer(Period::default()).await;
    assert_eq!(kinds(&answer), [Kind::Silent], "{answer:?}");
    assert_eq!(
        (answer.findings[0].last, answer.findings[0].after),
        (Some(3), Some(at(10)))
    );
    let told = counter.next_told().await;
    let statement = if told.facts.action == action::COMPLETENESS_STATEMENT {
        counter.next_told().await
    } else {
        told
    };
    assert_eq!(statement.facts.action, action::SOURCE_SILENT);
    assert_eq!(statement.facts.detail["service"], "api-service");
    let before = Period {
        from: None,
        to: Some(at(10)),
    };
    assert!(counter.answer(before).await.complete);
    let days_later = Period {
        from: Some(at(2 * 86_400)),
        to: None,
    };
    assert_eq!(counter.answer(days_later).await.findings, []);

    // What it had left behind is no sign of life.
    counter.append(&[door.request(12)], at(3632)).await;
    assert_eq!(counter.answer(Period::default()).await.sources.silent, 1);
    counter
        .append(&[door.own(action::HEARTBEAT, 3640)], at(3640))
        .await;
    assert_eq!(counter.next_told().await.facts.action, action::SOURCE_BACK);
    assert!(counter.answer(Period::default()).await.complete);
    counter.end().await;
}

async fn a_boot_that_was_replaced_without_a_bye_has_an_unknown_tail(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let (mut door, mut collector) = (TestSource::new("api-service"), TestSource::new("audit-collector"));
    counter.append(&collector.begin(0), at(10)).await;
    counter.append(&door.begin(4), at(10)).await;
    let mut next = TestSource::new("api-service");
    counter.append(&[next.own(action::BOOT, 25)], at(25)).await;
    for second in [30, 40, 50, 60, 70] {
        counter
            .append(&[next.own(action::HEARTBEAT, second)], at(second))
            .await;
        beat(&counter, &mut collector, std::iter::once(second)).await;
    }

    let answer = counter.answer(Period::default()).await;

    assert_eq!(kinds(&answer), [Kind::TailUnknown], "{answer:?}");
    let tail = &answer.findings[0];
    assert_eq!(
        (tail.last, tail.after, tail.before),
        (Some(6), Some(at(10)), Some(at(25)))
    );
    let since = Period {
        from: Some(at(26)),
        to: None,
    };
    assert!(counter.answer(since).await.complete);
    counter.end().await;
}

async fn what_was_counted_outlives_the_events(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    counter.append(&door.begin(20), NOW).await;
    counter.end().await;
    database.change("DELETE FROM event").await;
    database.change("DELETE FROM batch").await;

    let counter = Counter::start(database).await;
    let more = [door.request(15), door.own(action::HEARTBEAT, 20)];
    counter.log.append(&more, &[], at(20)).await.unwrap();
    let answer = counter
        .until("the new ones are counted", |answer| {
            answer.known_until == Some(at(20))
        })
        .await;

    assert!(answer.complete, "{answer:?}");
    counter.end().await;
}

async fn an_event_under_a_number_that_another_had_is_found(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut door = TestSource::new("api-service");
    let events = door.begin(2);
    let forged = arrival(Draft::new(at(6), request_facts()).numbered(door.source.clone(), 2));
    counter.append(&events, NOW).await;

    counter.append(&[forged], at(20)).await;

    let answer = counter
        .until("the reuse is counted", |answer| !answer.complete)
        .await;
    assert_eq!(kinds(&answer), [Kind::NumberReused]);
    counter.end().await;
}

async fn an_hour_s_statement_says_what_came_of_whom(database: &TestDatabase) {
    let mut counter = Counter::start(database).await;
    let (mut door, mut collector) = (TestSource::new("api-service"), TestSource::new("audit-collector"));
    counter.append(&collector.begin(0), at(10)).await;
    let events = door.begin(7);
    counter
        .append(&[&events[..3], &events[4..]].concat(), at(10))
        .await;
    counter.bury(&events[3].body, "api-service").await;
    eventually("the letter is counted", || async {
        (database.number("SELECT COUNT(*) FROM dead_number").await == 0).then_some(())
    })
    .await;

    beat(&counter, &mut collector, std::iter::once(3605)).await;

    let statement = counter.next_told().await;
    assert_eq!(statement.facts.action, action::COMPLETENESS_STATEMENT);
    let detail = &statement.facts.detail;
    assert_eq!(
        (&detail["from"], &detail["to"], &detail["left_out"]),
        (&0.into(), &11.into(), &0.into())
    );
    let of_door = &detail["sources"][0];
    assert_eq!(of_door["source"], door.source.to_string());
    assert_eq!(
        (&of_door["events"], &of_door["dead_letters"]),
        (&8.into(), &1.into())
    );
    assert_eq!((&of_door["first"], &of_door["last"]), (&1.into(), &9.into()));
    assert_eq!(
        (&of_door["complete_to"], &of_door["missing"]),
        (&9.into(), &0.into())
    );
    counter.end().await;
}

/// Waits until one of them has told that.
async fn until_told(counters: &mut [Counter<'_>; 2], action: &str) {
    let [one, other] = counters;
    loop {
        let told = tokio::select! { told = one.next_told() => told, told = other.next_told() => told };
        if told.facts.action == action {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_that_count_the_same_log_tell_everything_once() {
    let Some(database) = TestDatabase::postgres().await else {
        return;
    };
    let mut counters = [Counter::start(&database).await, Counter::start(&database).await];
    let mut door = TestSource::new("api-service");
    let events = door.begin(400);
    // As two consumers of one queue store them.
    let (odd, even): (Vec<_>, Vec<_>) = events.iter().cloned().partition(|one| one.event.seq % 2 == 1);
    for (odd, even) in odd.chunks(40).zip(even.chunks(40)) {
        tokio::join!(
            async { counters[0].log.append(odd, &[], NOW).await.unwrap() },
            async { counters[1].log.append(even, &[], NOW).await.unwrap() },
        );
    }
    let rest = &odd[even.len() / 40 * 40..];
    counters[0].append(rest, NOW).await;
    counters[0]
        .until("all are counted", |answer| {
            answer.complete && answer.known_until == Some(at(10))
        })
        .await;
    let lost = door.request(11);
    counters[1].append(&[door.own(action::HEARTBEAT, 12)], NOW).await;

    for counter in &counters {
        counter.clock.advance(GAP_AFTER);
    }
    counters[0]
        .until("the gap is named", |answer| answer.missing == 1)
        .await;
    // Whoever leads has told of it, so that its successor must not.
    until_told(&mut counters, action::LOG_GAP).await;
    // Whoever leads dies; the other one goes on.
    database
        .number(
            "SELECT COUNT(pg_terminate_backend(pid)) FROM pg_locks WHERE locktype = 'advisory' \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        )
        .await;
    counters[1].append(&[lost], at(140)).await;
    counters[0]
        .until("the gap is closed", |answer| answer.complete)
        .await;

    let mut told = Vec::new();
    for counter in counters {
        told.extend(counter.end_with_told().await);
    }
    told.retain(|name| name.starts_with("log_"));
    told.sort_unstable();
    assert_eq!(told, ["log_gap_closed"]);
    database.remove().await;
}

async fn imported_events_are_nobody_s_numbers(database: &TestDatabase) {
    let counter = Counter::start(database).await;
    let mut importer = Importer::new("www", None);
    let lines = [1, 2]
        .map(|second| format!(r#"192.0.2.7 - - [15/Jan/2026:00:00:0{second} +0000] "GET / HTTP/1.1" 200 1"#));
    let imported = lines.map(|line| importer.arrival(&line).unwrap());

    counter.append(&imported, NOW).await;
    counter.bury(&imported[0].body, IMPORT_SERVICE).await;
    eventually("the dead letter was looked at", || async {
        (database.number("SELECT COUNT(*) FROM dead_number").await == 0).then_some(())
    })
    .await;

    assert_eq!(database.number("SELECT COUNT(*) FROM source").await, 0);
    assert_eq!(kinds(&counter.answer(Period::default()).await), []);
    counter.end().await;
}
