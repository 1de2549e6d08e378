//! Counts that are kept say what the rows say.

use std::collections::BTreeMap;

use audit_collector::enrichment::Locality;
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::rollup::catch_up;
use audit_collector::search::{Filter, Parameters};
use audit_collector::sequencing;
use audit_collector::statistics::{Question as _, Series, Top};
use shared::clock::UtcMicros;
use shared::event::{Event, Outcome};
use shared::runtime::shutdown::CancellationToken;

use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts};
use crate::harness::eventually;

on_both_databases!(
    kept_counts_are_those_of_the_rows_whatever_comes_late_or_twice,
    a_text_that_no_index_takes_does_not_stop_the_counts,
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

async fn ordered(log: &EventLog, size: u64) {
    let stop = CancellationToken::new();
    let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
    eventually("the log is in order", || async {
        (log.size().await.unwrap() == size).then_some(())
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
            ordered(&log, 200).await;
            catch_up(&log).await.unwrap();
        }
    }
    ordered(&log, 450).await;
    catch_up(&log).await.unwrap();
    catch_up(&log).await.unwrap();
    // In order but not counted yet, and not even in order.
    log.append(&newest[..100], &[], NOW).await.unwrap();
    ordered(&log, 550).await;
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
    ordered(&log, 1).await;

    catch_up(&log).await.unwrap();

    assert_eq!(database.number("SELECT position FROM rollup_state").await, 1);
}
