//! Counts that are kept say what the rows say.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use audit_collector::enrichment::Locality;
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::rollup::catch_up;
use audit_collector::search::{Cursor, Filter, Parameters, Search};
use audit_collector::statistics::{Count, Distinct, Facets, Percentiles, Question, Series, Top, TopAnswer};
use shared::clock::UtcMicros;
use shared::event::{Event, Outcome};
use uuid::Uuid;

use crate::harness::counting::{asked, ordered};
use crate::harness::database::TestDatabase;
use crate::harness::events::{NOW, arrival, at, event, request_facts};

on_both_databases!(
    kept_counts_are_those_of_the_rows_whatever_comes_late_or_twice,
    a_text_that_no_index_takes_does_not_stop_the_counts,
    sketches_say_what_the_rows_say_within_their_error,
    the_most_frequent_users_and_addresses_are_those_of_the_rows,
    a_list_that_is_not_exact_says_by_how_much,
    what_is_to_be_made_anew_is_read_from_rows_until_then,
    pages_are_the_same_whatever_the_counts_say,
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

/// The most frequent values of a part of the crowd, by the events themselves.
fn most(
    arrivals: &[Arrival],
    is_in: impl Fn(&Event) -> bool,
    value: impl Fn(&Event) -> String,
) -> Vec<Count> {
    let mut counts: BTreeMap<String, i64> = BTreeMap::new();
    for event in arrivals
        .iter()
        .map(|one| &*one.event)
        .filter(|event| is_in(event))
    {
        *counts.entry(value(event)).or_default() += 1;
    }
    let mut counts: Vec<_> = counts
        .into_iter()
        .map(|(value, events)| Count { value, events })
        .collect();
    counts.sort_by_key(|count| Reverse(count.events));
    counts
}

fn user(event: &Event) -> String {
    event.facts.actor.username.clone().unwrap()
}

fn address(event: &Event) -> String {
    event.facts.client.as_ref().unwrap().ip.clone().unwrap()
}

fn assert_top(top: &TopAnswer, expected: &[Count], query: &str) {
    let numbers = |counts: &[Count]| counts.iter().map(|count| count.events).collect::<Vec<_>>();
    let sum = |counts: &[Count]| numbers(counts).iter().sum::<i64>();
    let first = top.values.len();

    assert!(top.exact && top.error.is_none() && top.distinct_error.is_none());
    assert_eq!((top.events, top.without), (sum(expected), 0), "{query}");
    assert_eq!(top.distinct, i64::try_from(expected.len()).unwrap());
    assert_eq!(numbers(&top.values), numbers(&expected[..first]));
    assert!(top.values.iter().all(|count| expected.contains(count)));
    assert_eq!(top.rest, sum(expected) - sum(&top.values));
}

async fn the_most_frequent_users_and_addresses_are_those_of_the_rows(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals = crowd();
    let (kept, newest) = arrivals.split_at(2_400);
    for batch in kept.chunks(800) {
        log.append(batch, &[], NOW).await.unwrap();
        log.append(batch, &[], NOW).await.unwrap();
        ordered(database, &log).await;
        catch_up(&log).await.unwrap();
    }
    log.append(newest, &[], NOW).await.unwrap();

    for (query, first, end) in [
        ("q=class:access", 0, 30 * 3_600),
        (
            "from=2026-01-15T00:10:30Z&to=2026-01-16T02:20:10Z&q=outcome:denied",
            630,
            94_810,
        ),
        // Kept counts do not tell it: of rows.
        ("q=outcome:denied+method:GET", 0, 30 * 3_600),
    ] {
        let is_in = |event: &Event| {
            (at(first)..at(end)).contains(&event.time)
                && (query.ends_with("access") || event.facts.outcome == Outcome::Denied)
        };
        let (users, addresses) = (most(&arrivals, is_in, user), most(&arrivals, is_in, address));
        let by_user = asked::<Top>(&log, &format!("by=user&limit=5&{query}")).await;
        let by_address = asked::<Top>(&log, &format!("by=ip&limit=100&{query}")).await;
        let facets = asked::<Facets>(
            &log,
            &format!("fields=ip,outcome,user,method,reason&limit=3&{query}"),
        )
        .await;

        let all: i64 = users.iter().map(|count| count.events).sum();
        assert_top(&by_user, &users, query);
        assert_top(&by_address, &addresses, query);
        let [of_address, of_outcome, of_user, of_method, of_reason] = facets.facets.as_slice() else {
            panic!("{facets:?}")
        };
        assert_eq!((of_address.error, of_user.error), (None, None));
        assert_eq!(of_address.values, by_address.values[..3]);
        // No counts are kept by it, and none has a reason.
        assert_eq!((of_method.values[0].events, of_reason.values.len()), (all, 0));
        assert_eq!(of_user.values, by_user.values[..3]);
        assert_eq!(
            of_outcome.values.iter().map(|count| count.events).sum::<i64>(),
            all
        );
    }
    let summary = log.summary(&Filter::default()).await.unwrap();
    assert_eq!(summary.events, 3_000);
    assert_eq!(
        summary.top_users,
        asked::<Top>(&log, "by=user&q=identity:verified").await.values
    );
    assert_eq!(summary.top_addresses, asked::<Top>(&log, "by=ip").await.values);
    // Where the answer comes from shows when the names are gone: those of the rows alone are left.
    database
        .change("UPDATE rollup_sketch SET frequent_users = NULL")
        .await;
    assert_eq!(asked::<Top>(&log, "by=user").await.events, 600);
}

async fn a_list_that_is_not_exact_says_by_how_much(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals: Vec<_> = (0..9_500_i64)
        .map(|number| {
            let mut facts = request_facts();
            let user = if number % 10 == 0 { 0 } else { number };
            facts.actor.username = Some(format!("user{user}"));
            arrival(event(at(number % 3_600), facts))
        })
        .collect();
    for batch in arrivals.chunks(1_900) {
        log.append(batch, &[], NOW).await.unwrap();
    }
    ordered(database, &log).await;
    catch_up(&log).await.unwrap();

    let top = asked::<Top>(&log, "by=user&limit=1").await;

    let error = top.error.unwrap();
    assert!(!top.exact && (1..=2).contains(&error), "{error}");
    assert_eq!(
        (top.events, top.without, top.values[0].value.as_str()),
        (9_500, 0, "user0")
    );
    assert!(top.values[0].events <= 950 && 950 <= top.values[0].events + error);
    assert_near(top.distinct, 8_551, 4.0 * top.distinct_error.unwrap(), "users");
    let facets = asked::<Facets>(&log, "fields=user&limit=1").await;
    assert_eq!(
        (&facets.facets[0].values, facets.facets[0].error),
        (&top.values, top.error)
    );
    let summary = log.summary(&Filter::default()).await.unwrap();
    assert_eq!((summary.user_error, summary.address_error), (Some(error), None));
}

async fn what_is_to_be_made_anew_is_read_from_rows_until_then(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals = crowd();
    for batch in arrivals[..2_000].chunks(400) {
        log.append(batch, &[], NOW).await.unwrap();
    }
    ordered(database, &log).await;
    catch_up(&log).await.unwrap();
    for table in ["rollup", "rollup_sketch", "rollup_kind"] {
        database.change(&format!("DELETE FROM {table}")).await;
    }
    database.change("UPDATE rollup_state SET position = 0").await;
    // Before they are made anew, rows are read.
    assert_eq!(asked::<Distinct>(&log, "by=user").await.events, 2_000);
    assert_eq!(asked::<Top>(&log, "by=user").await.events, 2_000);
    log.append(&arrivals[2_000..], &[], NOW).await.unwrap();
    ordered(database, &log).await;

    catch_up(&log).await.unwrap();

    assert_eq!(asked::<Top>(&log, "by=outcome").await.events, 3_000);
    assert_eq!(asked::<Top>(&log, "by=reason").await.events, 3_000);
    assert_eq!(asked::<Distinct>(&log, "by=user").await.events, 3_000);
    assert_eq!(database.number("SELECT position FROM rollup_state").await, 3_000);
    for (table, width) in [
        ("rollup", 60),
        ("rollup", 86_400),
        ("rollup_sketch", 3_600),
        ("rollup_sketch", 604_800),
    ] {
        for detail in [0, 1] {
            let sum = format!(
                "SELECT CAST(SUM(events) AS BIGINT) FROM {table} WHERE width = {width} AND detail = {detail}"
            );
            assert_eq!(database.number(&sum).await, 3_000, "{sum}");
        }
    }
}

/// The ids of all pages of a search.
async fn paged(log: &EventLog, query: &str) -> Vec<Uuid> {
    let mut search = Search::parse(query, NOW).unwrap();
    let mut ids = Vec::new();
    loop {
        let page = log.search(&search).await.unwrap();
        ids.extend(page.events.iter().map(|event| event.id));
        let Some(cursor) = page.next_cursor else {
            return ids;
        };
        search.after = Some(Cursor::open(&cursor, &search.filter).unwrap());
    }
}

async fn pages_are_the_same_whatever_the_counts_say(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals: Vec<_> = (0..400_i64)
        .map(|number| {
            let mut facts = request_facts();
            if number % 4 == 0 {
                facts.outcome = Outcome::Denied;
            }
            arrival(event(at(number * 2_711 % (6 * 86_400)), facts))
        })
        .collect();
    for batch in arrivals.chunks(100) {
        log.append(batch, &[], NOW).await.unwrap();
    }
    ordered(database, &log).await;
    let queries = [
        "limit=7&q=outcome:denied",
        "limit=7&q=outcome:denied+status:200&to=2026-01-19T13:00:00Z",
        "limit=500",
    ];
    let mut of_rows = Vec::new();
    for query in queries {
        of_rows.push(paged(&log, query).await);
    }
    assert_eq!((of_rows[0].len(), of_rows[2].len()), (100, 400));

    catch_up(&log).await.unwrap();

    for (query, expected) in queries.iter().zip(&of_rows) {
        assert_eq!(&paged(&log, query).await, expected, "{query}");
    }
    // As if retention had removed nearly all of what was counted.
    database.change("UPDATE rollup SET events = events * 1000").await;
    for (query, expected) in queries.iter().zip(&of_rows) {
        assert_eq!(&paged(&log, query).await, expected, "{query}");
    }
}
