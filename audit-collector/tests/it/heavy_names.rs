//! Users and addresses with many events are counted as their rows are.

use std::collections::BTreeMap;

use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::rollup::catch_up;
use audit_collector::statistics::{Heatmap, Ratio, Series, Top};
use shared::event::{Event, Outcome};

use crate::harness::counting::{asked, ordered};
use crate::harness::database::TestDatabase;
use crate::harness::events::{arrival, at, event, request_facts};

on_both_databases!(
    charts_and_lists_of_heavy_names_are_those_of_the_rows_whatever_comes_late_or_twice,
    a_day_becomes_heavy_with_all_that_was_counted_before,
    what_is_in_order_and_not_counted_yet_is_counted_once,
    names_that_are_known_in_part_and_days_before_all_are_counted_from_rows,
);

const DAY: i64 = 86_400;

/// Days of the busy, from the first on: there is a quiet one between them.
const EVENTS: [i64; 4] = [720, 640, 30, 800];

/// A program that is busy on three of four days, under its name and its subject and from one address, and others beside it; in an order that has
/// little to do with their times.
fn events() -> Vec<Arrival> {
    let mut all = Vec::new();
    for (day, events) in (0..).zip(EVENTS) {
        for number in 0..events {
            let mut facts = request_facts();
            facts.actor.username = Some("robot".into());
            facts.actor.sub = Some("usr_robot".into());
            facts.client.as_mut().unwrap().ip = Some("10.0.0.9".into());
            match number % 9 {
                // Somebody else, somebody without a name, somebody else with that name for its subject, and one with both.
                0 => facts.actor.username = Some("alias".into()),
                1 => facts.actor.username = None,
                2 => facts.actor.username = Some(format!("user{number}")),
                3 => facts.actor.sub = Some("robot".into()),
                _ => {}
            }
            if number % 9 == 2 {
                facts.actor.sub = Some("robot".into());
                facts.client.as_mut().unwrap().ip = Some("2001:db8::9".into());
            }
            if number % 4 == 0 {
                facts.outcome = Outcome::Denied;
                facts.reason = Some(["token_expired", "rate_limited"][usize::from(number % 8 == 0)].into());
            }
            facts.policy.as_mut().unwrap().route = Some(format!("route{}", number % 3));
            let second = number * 7_919 % DAY;
            all.push(arrival(event(at(day * DAY + second), facts)));
        }
    }
    // Four days at once, so that each has events that come late.
    all.sort_by_key(|one| one.event.time.as_seconds() * 31 % 1_013);
    all
}

type Chosen = fn(&Event) -> bool;

fn is_robot(event: &Event) -> bool {
    [&event.facts.actor.username, &event.facts.actor.sub].contains(&&Some("robot".to_owned()))
}

fn is_from(event: &Event) -> bool {
    event.facts.client.as_ref().unwrap().ip.as_deref() == Some("10.0.0.9")
}

/// A series by outcome: for each outcome its events in each hour.
async fn series(log: &EventLog, query: &str) -> BTreeMap<String, Vec<i64>> {
    let answer = asked::<Series>(log, &format!("by=outcome&bucket=1h&{query}")).await;
    let lines = answer.groups.into_iter();
    lines.map(|line| (line.value.unwrap(), line.events)).collect()
}

/// Says that what is told of those events in a period, which begins with an hour or in one, is what they are.
async fn check(log: &EventLog, filter: &str, (first, end): (i64, i64), chosen: &[&Event]) {
    let period = format!("from={}&to={}&q={filter}", at(first), at(end));
    let within = chosen
        .iter()
        .filter(|one| (at(first)..at(end)).contains(&one.time));
    let begin = first - first.rem_euclid(3_600);
    let hours = usize::try_from((end - begin + 3_599) / 3_600).unwrap();
    let (mut by_outcome, mut by_route, mut all) = (BTreeMap::new(), BTreeMap::new(), 0_i64);
    for one in within {
        let hour = usize::try_from((one.time.as_seconds() - at(begin).as_seconds()) / 3_600).unwrap();
        let line = by_outcome.entry(one.facts.outcome.as_str().to_owned());
        line.or_insert_with(|| vec![0; hours])[hour] += 1;
        let route = one.facts.policy.as_ref().unwrap().route.clone().unwrap();
        *by_route.entry(route).or_insert(0_i64) += 1;
        all += 1;
    }
    assert_eq!(series(log, &period).await, by_outcome, "{period}");
    let top = asked::<Top>(log, &format!("by=route&{period}")).await;
    let routes: BTreeMap<_, _> = top
        .values
        .into_iter()
        .map(|one| (one.value, one.events))
        .collect();
    assert_eq!((top.events, routes), (all, by_route), "{period}");
    let ratio = asked::<Ratio>(log, &format!("of=reason:rate_limited&bucket=1d&{period}")).await;
    let limited = |one: &&&Event| one.facts.reason.as_deref() == Some("rate_limited");
    let matching = chosen
        .iter()
        .filter(|one| (at(first)..at(end)).contains(&one.time))
        .filter(limited)
        .count();
    assert_eq!(
        (ratio.all.events, ratio.all.matching),
        (all, i64::try_from(matching).unwrap())
    );
    assert_eq!(
        asked::<Heatmap>(log, &format!("offset=60&{period}")).await.events,
        all
    );
}

async fn charts_and_lists_of_heavy_names_are_those_of_the_rows_whatever_comes_late_or_twice(
    database: &TestDatabase,
) {
    let log = database.log().await;
    let arrivals = events();
    let (counted, newest) = arrivals.split_at(arrivals.len() - 200);
    for batch in counted.chunks(150) {
        log.append(batch, &[], at(0)).await.unwrap();
        // Once more, in another batch.
        log.append(batch, &[], at(0)).await.unwrap();
        ordered(database, &log).await;
        catch_up(&log).await.unwrap();
    }
    // In order but not counted yet, and not even in order.
    log.append(&newest[..100], &[], at(0)).await.unwrap();
    ordered(database, &log).await;
    log.append(&newest[100..], &[], at(0)).await.unwrap();
    // A user and an address on three days each.
    assert_eq!(database.number("SELECT COUNT(*) FROM rollup_heavy").await, 6);

    for (filter, is_chosen) in [("user:robot", is_robot as Chosen), ("ip:10.0.0.9", is_from)] {
        let all: Vec<&Event> = arrivals
            .iter()
            .map(|one| &*one.event)
            .filter(|one| is_chosen(one))
            .collect();
        let denied: Vec<&Event> = all
            .iter()
            .copied()
            .filter(|one| one.facts.outcome == Outcome::Denied)
            .collect();
        for period in [
            (0, 4 * DAY),
            (DAY, 2 * DAY),
            // Within an hour at both ends, and within days; from the quiet day on; and less than a day.
            (1_234, 4 * DAY - 4_567),
            (2 * DAY + 100, 4 * DAY),
            (DAY + 7_000, DAY + 20_000),
        ] {
            check(&log, filter, period, &all).await;
            check(&log, &format!("outcome:denied+{filter}"), period, &denied).await;
        }
    }
    assert_kept_counts_are_used(database, &log).await;
}

/// A number that somebody changed shows where the answer comes from.
async fn assert_kept_counts_are_used(database: &TestDatabase, log: &EventLog) {
    let period = format!("from={}&to={}", at(0), at(4 * DAY));
    let before = series(log, &format!("{period}&q=user:robot")).await;
    database
        .change("UPDATE rollup_heavy_count SET events = events + 1000")
        .await;
    let after = series(log, &format!("{period}&q=user:robot")).await;
    let sum = |days: std::ops::Range<usize>, of: &BTreeMap<String, Vec<i64>>| -> i64 {
        of.values()
            .flat_map(|line| &line[days.start * 24..days.end * 24])
            .sum()
    };
    assert!(sum(0..2, &after) > sum(0..2, &before) + 10_000);
    assert_eq!(sum(2..3, &after), sum(2..3, &before));
    assert!(
        asked::<Top>(log, &format!("by=route&{period}&q=ip:10.0.0.9"))
            .await
            .events
            > 10_000
    );
    // What is not kept by name is counted from rows.
    let by_method = format!("{period}&q=user:robot+method:GET");
    assert_eq!(series(log, &by_method).await, before);
    assert_eq!(
        asked::<Top>(log, &format!("by=client&{period}&q=user:robot"))
            .await
            .events,
        sum(0..4, &before)
    );
}

async fn a_day_becomes_heavy_with_all_that_was_counted_before(database: &TestDatabase) {
    let log = database.log().await;
    let arrivals: Vec<_> = (0..300)
        .map(|number| arrival(event(at(number * 60), request_facts())))
        .collect();
    let kept = "SELECT COALESCE(CAST(SUM(events) AS BIGINT), 0) FROM rollup_heavy_count c JOIN rollup_heavy h ON h.id = c.heavy \
        WHERE h.field = 0 AND width =";
    for (count, expected) in [(127, 0), (128, 128), (299, 299)] {
        let stored = usize::try_from(database.number("SELECT COUNT(*) FROM event").await).unwrap();
        // Some of what is stored is not counted yet.
        log.append(&arrivals[stored..count], &[], at(0)).await.unwrap();
        ordered(database, &log).await;
        log.append(&arrivals[count..=count], &[], at(0)).await.unwrap();

        catch_up(&log).await.unwrap();

        for width in [3_600, 86_400] {
            assert_eq!(
                database.number(&format!("{kept} {width}")).await,
                expected,
                "{count} by {width}"
            );
        }
    }
}

async fn what_is_in_order_and_not_counted_yet_is_counted_once(database: &TestDatabase) {
    let log = database.log().await;
    // More than is counted in one transaction.
    let arrivals: Vec<_> = (0..16_600)
        .map(|number| arrival(event(at(number), request_facts())))
        .collect();
    for batch in arrivals.chunks(2_000) {
        log.append(batch, &[], at(0)).await.unwrap();
    }
    ordered(database, &log).await;

    catch_up(&log).await.unwrap();

    let kept = "SELECT CAST(SUM(events) AS BIGINT) FROM rollup_heavy_count c JOIN rollup_heavy h ON h.id = c.heavy WHERE h.field = 0 AND width = 86400";
    assert_eq!(database.number(kept).await, 16_600);
}

async fn names_that_are_known_in_part_and_days_before_all_are_counted_from_rows(database: &TestDatabase) {
    let log = database.log().await;
    let long = "n".repeat(128);
    let arrivals: Vec<_> = (0..600_i64)
        .map(|number| {
            let mut facts = request_facts();
            facts.client = None;
            // On the first day of 1970, in which all before is counted too.
            let (name, second) = if number % 2 == 0 {
                (format!("{long}{}", number % 4), number)
            } else {
                ("early".to_owned(), number - 1_768_435_200 - 300)
            };
            facts.actor.username = Some(name);
            arrival(event(at(second), facts))
        })
        .collect();
    log.append(&arrivals, &[], at(0)).await.unwrap();
    ordered(database, &log).await;

    catch_up(&log).await.unwrap();

    assert_eq!(database.number("SELECT COUNT(*) FROM rollup_heavy").await, 0);
    for (user, events) in [(format!("{long}2"), 150), ("early".to_owned(), 300)] {
        let top = asked::<Top>(&log, &format!("by=route&q=user:{user}")).await;
        assert_eq!(top.events, events, "{user}");
    }
}
