//! That the same events give the same alerts, in whatever order and batches they come.

mod bounds;
mod meanwhile;

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use shared::event::{Class, ClientFacts, Facts, Outcome as Ended, Source, action, stable_event_id};
use uuid::Uuid;

use super::intake::widen;
use super::*;
use crate::detection::rule::{RuleSource, Severity};

const START: UtcMicros = UtcMicros::from_seconds(1_768_219_200);

/// One rule of each kind over the same few values, with thresholds that random events meet now and then.
const RULES: [(&str, &str); 8] = [
    (
        "count",
        "type: event_count\n  timespan: 1m\n  weight: detail.count\n  condition: {gte: 6}",
    ),
    (
        "values",
        "type: value_count\n  timespan: 2m\n  condition: {field: client.ip, gte: 3}",
    ),
    (
        "share",
        "type: ratio\n  timespan: 2m\n  condition: {of: failure, gte: 0.7}\n  also: [{type: event_count, gte: 4}]",
    ),
    (
        "order",
        "type: temporal_ordered\n  timespan: 3m\n  order: [{selection: failure, gte: 3}, {selection: success}]",
    ),
    (
        "alone",
        "type: missing\n  timespan: 3m\n  wait: 30s\n  partner: failure",
    ),
    (
        "travel",
        "type: travel\n  timespan: 1h\n  distance-km: 500\n  speed-kmh: 900",
    ),
    (
        "new",
        "type: new_value\n  field: client.ip\n  days: 30\n  learning-days: 0",
    ),
    ("volume", "type: volume\n  days: 2\n  floor: 12\n  factor: 2"),
];

fn rules() -> RuleSet {
    static RULES: LazyLock<RuleSet> = LazyLock::new(read_rules);
    RULES.clone()
}

fn read_rules() -> RuleSet {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, correlation) in RULES {
        let condition = if name == "alone" { "success" } else { "1 of them" };
        let event = "{action: authn_login_success, actor.username: a}";
        let text = format!(
            "id: {name}\ntitle: t\ndescription: d\nseverity: low\nrepeat: 10m\ndetection:\n  failure: {{action: authn_login_fail}}\n  \
             success: {{action: authn_login_success}}\n  condition: {condition}\ncorrelation:\n  group-by: [actor.username]\n  \
             {correlation}\ntests:\n  - {{name: p, events: [{event}], alerts: [[x]]}}\n  - {{name: n, events: [{event}], alerts: []}}\n"
        );
        std::fs::write(folder.path().join(format!("{name}.yaml")), text).unwrap();
    }
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: String::new(),
        ..RuleSource::default()
    };
    let loaded = source.load().unwrap_or_else(|problems| panic!("{problems}"));
    let own = |name: &(&str, &str)| loaded.find(name.0).cloned();
    RuleSet::of(RULES.iter().filter_map(own).collect())
}

/// An event: seconds after the beginning, who, from where, how it ended, and how many it stands for.
type Told = (i64, u8, u8, bool, u8);

fn record(index: usize, (second, user, address, failed, count): Told) -> Record {
    let at = UtcMicros::from_seconds(START.as_seconds() + second);
    let (action, ended) = if failed {
        (action::AUTHN_LOGIN_FAIL, Ended::Failure)
    } else {
        (action::AUTHN_LOGIN_SUCCESS, Ended::Success)
    };
    let mut facts = Facts::new(Class::Auth, action, ended).with_detail("count", count);
    facts.actor.username = Some(format!("user{user}"));
    facts.client = Some(ClientFacts {
        ip: Some(format!("192.0.2.{address}")),
        ..ClientFacts::default()
    });
    let mut rest = [0; 10];
    rest[2..].copy_from_slice(&(index as u64).to_be_bytes());
    Record {
        event: Arc::new(Event {
            id: stable_event_id(at, &rest),
            time: at,
            source: Source {
                service: "auth-service".into(),
                instance: "one".into(),
                boot: Uuid::nil(),
            },
            seq: index as u64 + 1,
            facts,
        }),
        recorded_at: at,
        time_suspect: false,
        place: Some(Place {
            coordinates: Some((f64::from(address) * 10.0, 0.0)),
            ..Place::default()
        }),
    }
}

fn events(seconds: i64) -> impl Strategy<Value = Vec<Told>> {
    let event = (0..seconds, 0..3_u8, 0..4_u8, any::<bool>(), 1..3_u8);
    proptest::collection::vec(event, 0..120)
}

/// What stands: the alerts with their values.
fn standing(ledger: &Ledger) -> BTreeSet<(Fingerprint, String, u64)> {
    let row = |finding: &Finding| {
        let about = format!("{} {:?} {}", finding.rule.id, finding.group, finding.window_start);
        (finding.fingerprint, about, finding.value.to_bits())
    };
    ledger.values().map(row).collect()
}

/// The alerts that only one of them has; empty if they are the same.
fn differences(one: &Ledger, other: &Ledger) -> Vec<String> {
    let (one, other) = (standing(one), standing(other));
    let row = |(_, about, value): &(Fingerprint, String, u64)| format!("{about} {}", f64::from_bits(*value));
    one.symmetric_difference(&other).map(row).collect()
}

const AFTERWARDS: Duration = Duration::from_mins(5);

/// The events in the order in which they are stored, each after its delay.
fn stored(told: &[Told], delays: &[i64]) -> Vec<Record> {
    let of = |(index, told): (usize, &Told)| record(index, *told);
    let mut records: Vec<Record> = told.iter().enumerate().map(of).collect();
    for (record, delay) in records.iter_mut().zip(delays) {
        record.recorded_at = record.event.time.plus(Duration::from_secs(delay.unsigned_abs()));
    }
    records.sort_by_key(|record| (record.recorded_at, record.event.id));
    records
}

/// Feeds the events in the order of storing, in batches of the given sizes. What is too late is judged again at the end, as the log is
/// read again.
fn live(told: &[Told], delays: &[i64], batches: &[usize]) -> Ledger {
    let records = stored(told, delays);
    let (rules, mut ledger, mut late) = (rules(), Ledger::new(), None);
    let mut engine = Engine::new(rules.clone());
    let mut rest = records.as_slice();
    let mut sizes = batches.iter().cycle();
    while !rest.is_empty() {
        let (batch, more) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
        let outcome = engine.feed(batch, START);
        if let Some(Late { from, until }) = outcome.late {
            widen(&mut late, from.as_micros(), until.as_micros());
        }
        outcome.enter(&mut ledger);
        rest = more;
    }
    let end = UtcMicros::from_micros(engine.watermark).plus(AFTERWARDS);
    engine.feed(&[], end).enter(&mut ledger);
    judge_again(&records, late, end, &mut ledger);
    ledger
}

/// Judges what came late once more, as the log is read again.
fn judge_again(records: &[Record], late: Option<Late>, end: UtcMicros, ledger: &mut Ledger) {
    let Some(late) = late else { return };
    let (rules, known) = (rules(), ledger.values().map(told_of).collect::<Vec<_>>());
    let again = Again::of(&rules, late);
    let from = again.reads_from(&rules, true);
    let needed = records.iter().filter(|record| record.at() >= from);
    again
        .judge(&rules, read_again(&again, needed, end), &known, end)
        .enter(ledger);
}

fn told_of(finding: &Finding) -> super::Told {
    super::Told {
        fingerprint: finding.fingerprint,
        rule: Arc::clone(&finding.rule.id),
        window_start: finding.window_start,
        at: finding.at,
    }
}

/// What is read of `records` to judge `again`.
fn read_again<'r>(again: &Again, records: impl Iterator<Item = &'r Record>, watermark: UtcMicros) -> Replay {
    let until = again.reads_until(watermark);
    let mut replay = Replay::new(Again::judged(&rules()), None);
    replay.take(records.filter(|record| record.at() < until).cloned().collect());
    replay
}

fn replayed(rules: &RuleSet, records: Vec<Record>, end: UtcMicros) -> Ledger {
    let mut replay = Replay::new(rules.clone(), None);
    replay.take(records);
    replay.end(end)
}

fn all_at_once(told: &[Told]) -> Ledger {
    let records: Vec<Record> = told
        .iter()
        .enumerate()
        .map(|(index, told)| record(index, *told))
        .collect();
    let last = records.iter().map(Record::at).max().unwrap_or(START);
    replayed(&rules(), records, last.plus(AFTERWARDS))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn the_order_in_which_events_are_stored_does_not_matter(
        told in events(1_500),
        delays in proptest::collection::vec(0..110_i64, 120),
        batches in proptest::collection::vec(1..30_usize, 1..6),
    ) {
        prop_assert_eq!(differences(&live(&told, &delays, &batches), &all_at_once(&told)), Vec::<String>::new());
    }

    #[test]
    fn events_that_are_stored_long_after_are_judged_as_if_they_were_not(
        told in events(3_000),
        delays in proptest::collection::vec(prop_oneof![4 => Just(0), 1 => 0..5_000_i64], 120),
        batches in proptest::collection::vec(1..30_usize, 1..6),
    ) {
        prop_assert_eq!(differences(&live(&told, &delays, &batches), &all_at_once(&told)), Vec::<String>::new());
    }

    #[test]
    fn a_leader_that_takes_over_finds_the_same(
        told in events(1_500),
        delays in proptest::collection::vec(0..60_i64, 120),
        cut in 0..120_usize,
        unkept in 0..120_usize,
    ) {
        let records = stored(&told, &delays);
        let (first, second) = records.split_at(cut.min(records.len()));
        let (_, unkept) = first.split_at(first.len() - unkept.min(first.len()));
        let mut ledger = Ledger::new();
        let mut engine = Engine::new(rules());
        let mut memories = Vec::new();
        for record in first {
            let outcome = engine.feed(std::slice::from_ref(record), START);
            if !unkept.contains(record) {
                memories.extend(outcome.memories.clone());
            }
            outcome.enter(&mut ledger);
        }

        let mut successor = Engine::new(rules());
        let watermark = UtcMicros::from_micros(engine.watermark.max(START.as_micros()));
        let from = watermark.minus(Engine::reach(&rules(), true));
        let recent: Vec<_> = first.iter().filter(|record| record.recorded_at >= from).cloned().collect();
        successor.rebuild(&recent);
        successor.resume(watermark);
        for finding in ledger.values() {
            successor.recall(finding);
        }
        for (key, memory) in memories {
            successor.remember(key, memory);
        }
        successor.note_again(unkept);
        let mut late = None;
        for batch in second.chunks(7) {
            let outcome = successor.feed(batch, START);
            if let Some(Late { from, until }) = outcome.late {
                widen(&mut late, from.as_micros(), until.as_micros());
            }
            outcome.enter(&mut ledger);
        }
        let end = UtcMicros::from_micros(successor.watermark).plus(AFTERWARDS);
        successor.feed(&[], end).enter(&mut ledger);
        judge_again(&records, late, end, &mut ledger);

        prop_assert_eq!(differences(&ledger, &all_at_once(&told)), Vec::<String>::new());
    }
}

#[test]
fn random_events_meet_every_kind_of_rule() {
    let told: Vec<Told> = (0..120)
        .map(|n: u8| (i64::from(n) * 3, n % 3, n % 4, n.count_ones() > 1, 1 + n % 2))
        .collect();

    let found: BTreeSet<String> = all_at_once(&told)
        .values()
        .map(|found| found.rule.id.to_string())
        .collect();

    for kind in ["count", "values", "order", "travel", "new", "volume", "share"] {
        assert!(found.contains(kind), "{kind}: {found:?}");
    }
    let alone = all_at_once(&[(0, 0, 0, false, 1)]);
    assert!(alone.values().any(|found| &*found.rule.id == "alone"));
    assert!(alone.values().all(|found| found.rule.severity == Severity::Low));
}
