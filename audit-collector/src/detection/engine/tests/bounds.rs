//! What is read back and what is kept: no more than is of use, and what is forgotten is named.

use super::*;

#[test]
fn where_nobody_can_be_placed_the_log_is_not_read_back_for_travel() {
    let an_hour = std::time::Duration::from_hours(1);

    assert!(Engine::reach(&rules(), true) > an_hour);
    assert!(Engine::reach(&rules(), false) < an_hour);
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_is_named() {
    let mut engine = Engine::new(rules());
    let told: Vec<Record> = (0..25_000).map(|n| record(n, (0, 0, 0, true, 1))).collect();

    let outcome = engine.feed(&told, START);

    assert_eq!(outcome.forgotten.get("count"), Some(&5_000));
}

#[test]
fn of_more_events_than_a_rule_may_keep_the_oldest_of_all_groups_are_forgotten_and_alerts_stay() {
    let mut engine = Engine::new(rules());
    // One a second, of three users in turn.
    let failure = |n: u8| record(n.into(), (n.into(), n % 3, 0, true, 1));
    let told: Vec<Record> = (0..60).map(failure).collect();
    let mut ledger = Ledger::new();
    engine.feed(&told, START).enter(&mut ledger);
    let before: Vec<Fingerprint> = ledger.keys().copied().collect();
    assert!(!before.is_empty());

    let mut outcome = Outcome::default();
    engine.forget_beyond(24, &mut outcome);

    assert_eq!(outcome.forgotten.get("count"), Some(&36));
    outcome.enter(&mut ledger);
    let place = engine
        .rules
        .rules()
        .iter()
        .position(|rule| &*rule.id == "count")
        .unwrap();
    let kept: Vec<usize> = engine.groups[place].values().map(Timeline::len).collect();
    assert_eq!(kept, [8, 8, 8]);
    // What follows is judged by what is left, and takes back nothing that stands.
    engine.feed(&[failure(60)], START).enter(&mut ledger);
    assert!(before.iter().all(|alert| ledger.contains_key(alert)));
    // There is no more to forget.
    let mut outcome = Outcome::default();
    engine.forget_beyond(25, &mut outcome);
    assert!(!outcome.forgotten.contains_key("count"));
}

#[test]
fn what_is_forgotten_gives_its_memory_back_though_its_group_goes_on() {
    let mut engine = Engine::new(rules());
    let room = |engine: &Engine| {
        engine
            .groups
            .iter()
            .flat_map(HashMap::values)
            .map(Timeline::room)
            .max()
    };
    // Ten a second.
    let told: Vec<Record> = (0..1_000_u16)
        .map(|n| record(n.into(), ((n / 10).into(), 0, 0, true, 1)))
        .collect();
    engine.feed(&told, START);
    assert!(room(&engine) >= Some(1_000));

    engine.forget_beyond(50, &mut Outcome::default());

    assert!(room(&engine) <= Some(200), "{:?}", room(&engine));
}

#[test]
fn what_is_too_old_or_too_much_is_looked_for_after_many_events_though_little_time_has_passed() {
    let mut engine = Engine::new(rules());
    let feed = |engine: &mut Engine, n: usize| engine.feed(&[record(n, (0, 0, 0, true, 1))], START);
    feed(&mut engine, 0);
    feed(&mut engine, 1);
    assert_eq!(engine.unswept, 1);

    engine.unswept = forget::SWEEP_AFTER - 1;
    feed(&mut engine, 2);

    assert_eq!(engine.unswept, 0);
}

#[test]
fn what_an_alert_is_judged_again_by_is_kept_until_then_and_no_longer() {
    let mut engine = Engine::new(rules());
    let later = |hours| START.plus(Duration::from_hours(hours));
    let groups = |engine: &Engine| engine.groups.iter().map(HashMap::len).sum::<usize>();
    engine.feed(&[record(0, (0, 0, 0, true, 1))], START);

    engine.keep_from(START);
    engine.feed(&[], later(24));
    assert!(groups(&engine) > 0);

    assert!(engine.correct(&Outcome::default(), START).raised.is_empty());
    engine.feed(&[], later(48));
    assert_eq!(groups(&engine), 0);
}

#[test]
fn what_has_come_since_stands_though_too_many_events_made_it_forgotten() {
    let mut engine = Engine::new(rules());
    let told: Vec<Record> = (0..12).map(|n| record(n, (0, 0, 0, true, 1))).collect();
    let mut ledger = Ledger::new();
    engine.feed(&told, START).enter(&mut ledger);
    ledger.retain(|_, alert| &*alert.rule.id == "count");
    let before = standing(&ledger);
    assert!(!before.is_empty());
    engine.forget_beyond(1, &mut Outcome::default());

    let withdrawn = ledger.keys().copied().collect();
    let nothing_of_before = Outcome {
        withdrawn,
        ..Outcome::default()
    };
    let outcome = engine.correct(&nothing_of_before, START);

    let (raised, withdrawn) = (outcome.raised.len(), outcome.withdrawn.len());
    outcome.enter(&mut ledger);
    assert_eq!((raised, withdrawn), (before.len(), 0));
    assert_eq!(standing(&ledger), before);
}
