//! Counts that are kept say what the rows say.

use std::collections::{BTreeMap, BTreeSet};

use audit_collector::enrichment::Locality;
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::rollup::catch_up;
use audit_collector::search::{Filter, Parameters};
use audit_collector::sequencing;
use audit_collector::statistics::{Distinct, Percentiles, Question, Series, Top};
use shared::clock::UtcMicros;
use shared::event::{Event, Outcome};
use shared::runtime::shutdown::CancellationToken;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts};
use crate::harness::eventually;

on_both_databases!(
    kept_counts_are_those_of_the_rows_whatever_comes_late_or_twice,
    a_text_that_no_index_takes_does_not_stop_the_counts,
    sketches_say_what_the_rows_say_within_their_error,
    what_was_counted_before_there_were_sketches_is_read_once_more_for_them,
);

/// Events over five hours, in an order that has nothing to do with their times.
fn events() -> Vec<Arrival> {
    (0..600_i64)
        .map(|number| {
            let mut facts = request_facts();
            if number % 3 == 0 {
                facts.outcome = Outcome::Denied;
                facts.reason = Some(["token_expired", "rate_limited"][usize::from(number % 2 == 0)].into());
            }
            facts.http.as_mut().unwrap().status = Some(if number % 7 == 0 { 500 } else { 200 });
            arrival(event(at(number * 7_919 % (5 * 3_600)), facts))
        })
        .collect()
}

/// Puts everything in order that is stored.
async fn ordered(database: &TestDatabase, log: &EventLog) {
    let stop = CancellationToken::new();
    let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
    eventually("the log is in order", || async {
        let unordered = "SELECT COUNT(*) FROM batch WHERE first_position IS NULL";
        (database.number(unordered).await == 0).then_some(())
    })
    .await;
    stop.cancel();
    leading.await.unwrap();
}

/// What a series is by the events themselves: for each group its events in each hour of six.
fn expected(events: &[Event], filter: &str, by: impl Fn(&Event) -> String) -> BTreeMap<String, Vec<i64>> {
    let filter = Filter::parse(filter, NOW).unwrap();
    let mut groups = BTreeMap::new();
    for event in events
        .iter()
        .filter(|event| filter.matches(event, Locality::default(), NOW))
    {
        let hour = usize::try_from((event.time.as_seconds() - NOW.as_seconds()) / 3_600).unwrap();
        groups.entry(by(event)).or_insert_with(|| vec![0; 6])[hour] += 1;
    }
    groups
}

async fn series(log: &EventLog, query: &str) -> BTreeMap<String, Vec<i64>> {
    let parameters = Parameters::parse(query).unwrap();
    let answer = log.ask(&Series::read(parameters, NOW).unwrap()).await.unwrap();
    let lines = answer.groups.into_iter().chain(answer.without);
    lines
        .map(|line| (line.value.unwrap_or_default(), line.events))
        .collect()
}

async fn kept_counts_are_those_of_the_rows_whatever_comes_late_or_twice(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals = events();
    let (kept, newest) = arrivals.split_at(450);
    let mut batches = 0;
    for batch in kept.chunks(50) {
        log.append(batch, &[], NOW).await.unwrap();
        // Once more, in another batch: it is not in the log twice, and not in the counts.
        log.append(batch, &[], NOW).await.unwrap();
        batches += 1;
        if batches == 4 {
            ordered(database, &log).await;
            catch_up(&log).await.unwrap();
        }
    }
    ordered(database, &log).await;
    catch_up(&log).await.unwrap();
    catch_up(&log).await.unwrap();
    // In order but not counted yet, and not even in order.
    log.append(&newest[..100], &[], NOW).await.unwrap();
    ordered(database, &log).await;
    log.append(&newest[100..], &[], NOW).await.unwrap();
    assert_eq!(database.number("SELECT position FROM rollup_state").await, 450);

    let all: Vec<Event> = arrivals
        .iter()
        .map(|arrival| Event::clone(&arrival.event))
        .collect();
    let reason = |event: &Event| event.facts.reason.clone().unwrap_or_default();
    let period = "from=2026-01-15T00:00:00Z&to=2026-01-15T05:12:34Z&bucket=1h";
    for filter in [
        "class:access",
        "outcome:denied",
        "-reason:token_expired",
        "status:5xx OR reason:rate_*",
        "user:alice",
    ] {
        assert_eq!(
            series(&log, &format!("{period}&by=reason&q={filter}")).await,
            expected(&all, filter, reason),
            "{filter}"
        );
    }
    // A period that begins and ends within a minute, and within an hour.
    let part = "from=2026-01-15T00:10:30Z&to=2026-01-15T03:20:10Z&bucket=1m";
    let counted: i64 = series(&log, part).await.into_values().flatten().sum();
    let within = |event: &&Event| (at(630)..at(12_010)).contains(&event.time);
    assert_eq!(
        usize::try_from(counted).unwrap(),
        all.iter().filter(within).count()
    );
    let top = Top::read(Parameters::parse("by=outcome").unwrap(), NOW).unwrap();
    assert_eq!(log.ask(&top).await.unwrap().events, 600);
    assert_kept_counts_are_used(database, &log, NOW).await;
}

/// A count that somebody changed shows where the answer comes from.
async fn assert_kept_counts_are_used(database: &TestDatabase, log: &EventLog, now: UtcMicros) {
    let returning = if log.database().is_postgres() {
        "RETURNING 1::bigint"
    } else {
        "RETURNING 1"
    };
    database
        .number(&format!("UPDATE rollup SET events = events + 1000 {returning}"))
        .await;
    let top = Top::read(Parameters::parse("by=outcome").unwrap(), now).unwrap();
    assert!(log.ask(&top).await.unwrap().events > 600);
    let top = Top::read(Parameters::parse("by=user").unwrap(), now).unwrap();
    assert_eq!(log.ask(&top).await.unwrap().events, 600);
}

async fn a_text_that_no_index_takes_does_not_stop_the_counts(database: &TestDatabase) {
    let log = database.log().await;
    let mut facts = request_facts();
    // Characters of four bytes that do not repeat, as an index would compress them.
    let long: String = (0..250_u32)
        .map(|number| char::from_u32(0x1F300 + number * 3).unwrap())
        .collect();
    facts.action.clone_from(&long);
    facts.reason = Some(long.clone());
    facts.policy.as_mut().unwrap().route = Some(long.clone());
    facts.http.as_mut().unwrap().route = Some(long);
    log.append(&[arrival(event(NOW, facts))], &[], NOW).await.unwrap();
    ordered(database, &log).await;

    catch_up(&log).await.unwrap();

    assert_eq!(database.number("SELECT position FROM rollup_state").await, 1);
}

/// Requests over thirty hours of 1,500 users at 300 addresses, in an order that has nothing to do with their times.
fn crowd() -> Vec<Arrival> {
    (0..3_000_i64)
        .map(|number| {
            let mut facts = request_facts();
            facts.actor.username = Some(format!("user{}", number * 7 % 1_500));
            facts.client.as_mut().unwrap().ip = Some(format!("10.0.{}.{}", number % 3, number % 100));
            facts.http.as_mut().unwrap().duration_us = Some((number * 7_919 % 100_000).cast_unsigned());
            if number % 2 == 0 {
                facts.outcome = Outcome::Denied;
            }
            arrival(event(at(number * 53 % (30 * 3_600)), facts))
        })
        .collect()
}

async fn asked<Q: Question>(log: &EventLog, query: &str) -> Q::Answer {
    let question = Q::read(Parameters::parse(query).unwrap(), NOW).unwrap();
    log.ask(&question).await.unwrap()
}

/// What there is in a part of the crowd: how many users and addresses, and all durations in order.
fn truth(arrivals: &[Arrival], is_in: impl Fn(&Event) -> bool) -> (usize, usize, Vec<i64>) {
    let events: Vec<_> = arrivals
        .iter()
        .map(|one| &*one.event)
        .filter(|event| is_in(event))
        .collect();
    let users: BTreeSet<_> = events.iter().map(|event| &event.facts.actor.username).collect();
    let addresses: BTreeSet<_> = events
        .iter()
        .map(|event| &event.facts.client.as_ref().unwrap().ip)
        .collect();
    let durations = events
        .iter()
        .filter_map(|event| event.facts.http.as_ref()?.duration_us);
    let mut durations: Vec<_> = durations.map(u64::cast_signed).collect();
    durations.sort_unstable();
    (users.len(), addresses.len(), durations)
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn assert_near(found: i64, expected: i64, error: f64, what: &str) {
    let off = (found as f64 / expected as f64 - 1.0).abs();
    assert!(off <= error, "{what}: {found}, not {expected}");
}

async fn sketches_say_what_the_rows_say_within_their_error(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals = crowd();
    let (kept, newest) = arrivals.split_at(2_400);
    for batch in kept.chunks(400) {
        log.append(batch, &[], NOW).await.unwrap();
        log.append(batch, &[], NOW).await.unwrap();
        ordered(database, &log).await;
        catch_up(&log).await.unwrap();
    }
    log.append(newest, &[], NOW).await.unwrap();

    // All of it; and what begins and ends within an hour.
    for (period, first, end) in [
        ("", 0, 30 * 3_600),
        ("from=2026-01-15T00:10:30Z&to=2026-01-16T02:20:10Z&", 630, 94_810),
    ] {
        let (users, addresses, durations) =
            truth(&arrivals, |event| (at(first)..at(end)).contains(&event.time));
        let by_user = asked::<Distinct>(&log, &format!("{period}by=user")).await;
        let by_address = asked::<Distinct>(&log, &format!("{period}by=ip")).await;
        let spread = asked::<Percentiles>(&log, &format!("{period}q=class:access")).await;

        assert_eq!(by_user.events, i64::try_from(durations.len()).unwrap());
        assert!(!by_user.exact && by_user.error.is_some());
        assert_near(
            by_user.distinct,
            i64::try_from(users).unwrap(),
            4.0 * 0.016,
            "users",
        );
        // Few are counted exactly, however long the period.
        assert!(by_address.exact && by_address.error.is_none());
        assert_eq!(by_address.distinct, i64::try_from(addresses).unwrap());
        let group = &spread.groups[0];
        assert!(!spread.exact);
        assert_eq!((group.min, group.max), (durations[0], *durations.last().unwrap()));
        for (rank, found) in [(500, group.p50), (950, group.p95), (999, group.p999)] {
            let place = (durations.len() * rank).div_ceil(1_000) - 1;
            assert_near(found, durations[place], spread.error.unwrap(), "a percentile");
        }
    }
    let denied = asked::<Percentiles>(&log, "by=outcome&limit=1&q=-outcome:granted").await;
    assert_eq!(
        (denied.groups[0].value.as_deref(), denied.groups[0].events),
        (Some("denied"), 1_500)
    );
    // Other filters are answered from rows, exactly.
    let of_one = asked::<Percentiles>(&log, "q=user:user7").await;
    assert_eq!((of_one.groups[0].events, of_one.exact), (2, true));
    // A number that somebody changed shows where the answer comes from.
    database
        .change("UPDATE rollup_sketch SET events = events + 100000")
        .await;
    assert!(asked::<Distinct>(&log, "by=user").await.events > 100_000);
}

async fn what_was_counted_before_there_were_sketches_is_read_once_more_for_them(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals = crowd();
    for batch in arrivals[..2_000].chunks(400) {
        log.append(batch, &[], NOW).await.unwrap();
    }
    ordered(database, &log).await;
    catch_up(&log).await.unwrap();
    database.change("DELETE FROM rollup_sketch").await;
    database.change("UPDATE rollup_state SET sketched = 0").await;
    // Before they are made anew, rows are read.
    assert_eq!(asked::<Distinct>(&log, "by=user").await.events, 2_000);
    log.append(&arrivals[2_000..], &[], NOW).await.unwrap();
    ordered(database, &log).await;

    catch_up(&log).await.unwrap();

    assert_eq!(asked::<Top>(&log, "by=outcome").await.events, 3_000);
    assert_eq!(asked::<Distinct>(&log, "by=user").await.events, 3_000);
    assert_eq!(
        database
            .number("SELECT position - sketched FROM rollup_state")
            .await,
        0
    );
    assert_eq!(
        database
            .number("SELECT CAST(SUM(events) AS BIGINT) FROM rollup_sketch WHERE width = 86400")
            .await,
        3_000
    );
}
