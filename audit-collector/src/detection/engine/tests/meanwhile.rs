//! That what came late is judged again while the log is followed, as if nothing had come meanwhile.

use super::*;

/// When judging again begins and how long it lasts, in batches, and how far it has read by its beginning, in seconds before the last event:
/// what happened later is read at its end, with what was stored meanwhile.
#[derive(Clone, Copy, Debug)]
struct Meanwhile {
    begins: usize,
    lasts: usize,
    unread: u64,
}

/// As [`live`], but that what is too late at the beginning is judged while more is fed.
fn live_meanwhile(told: &[Told], delays: &[i64], meanwhile: Meanwhile) -> Ledger {
    let records = stored(told, delays);
    let (rules, mut ledger, mut late) = (rules(), Ledger::new(), None);
    let mut engine = Engine::new(rules.clone());
    let mut due = None;
    for (index, batch) in records.chunks(5).enumerate() {
        let outcome = engine.feed(batch, START);
        if let Some(Late { from, until }) = outcome.late {
            widen(&mut late, from.as_micros(), until.as_micros());
        }
        outcome.enter(&mut ledger);
        if index == meanwhile.begins {
            let watermark = UtcMicros::from_micros(engine.watermark);
            due = late.take().map(|late| (Again::of(&rules, late), watermark));
            if due.is_some() {
                engine.keep_from(watermark);
            }
        }
        let Some((again, watermark)) = due.filter(|_| index >= meanwhile.begins + meanwhile.lasts) else {
            continue;
        };
        due = None;
        let read = watermark.minus(Duration::from_secs(meanwhile.unread));
        let seen = records.iter().take((index + 1) * 5).enumerate();
        let seen = seen.filter(|(place, record)| {
            record.at() >= again.reads_from(&rules, true)
                && (*place < (meanwhile.begins + 1) * 5 || record.at() >= read)
        });
        let known: Vec<_> = ledger.values().map(told_of).collect();
        let replay = read_again(&again, seen.map(|(_, record)| record), watermark);
        let found = again.judge(&rules, replay, &known, watermark);
        engine.correct(&found, watermark).enter(&mut ledger);
    }
    if let Some((again, _)) = due {
        widen(&mut late, again.from.as_micros(), again.until.as_micros() - 1);
    }
    let end = UtcMicros::from_micros(engine.watermark).plus(AFTERWARDS);
    engine.feed(&[], end).enter(&mut ledger);
    judge_again(&records, late, end, &mut ledger);
    ledger
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_stored_while_late_events_are_judged_again_is_judged_as_well(
        told in events(3_000),
        delays in proptest::collection::vec(prop_oneof![3 => 0..110_i64, 1 => 120..900_i64], 120),
        begins in 0..20_usize,
        lasts in 0..10_usize,
        unread in 0..300_u64,
    ) {
        let found = live_meanwhile(&told, &delays, Meanwhile { begins, lasts, unread });
        prop_assert_eq!(differences(&found, &all_at_once(&told)), Vec::<String>::new());
    }
}

/// As [`live_meanwhile`], of events with their delays, judged again as soon as 20 are stored and until 5 more are.
fn found(stored: &[(Told, i64)]) -> (Ledger, Ledger) {
    let (told, delays): (Vec<_>, Vec<_>) = stored.iter().copied().unzip();
    let meanwhile = Meanwhile {
        begins: 3,
        lasts: 1,
        unread: 0,
    };
    (live_meanwhile(&told, &delays, meanwhile), all_at_once(&told))
}

/// An event of somebody whom nothing is found about.
const OTHER: Told = (0, 2, 0, false, 1);

#[test]
fn an_alert_that_goes_on_while_its_period_is_judged_again_keeps_what_came_meanwhile() {
    let far_apart = [((67, 0, 1, false, 1), 54), ((1_345, 0, 0, false, 1), 276)];
    let at_once = [((1_572, 0, 2, false, 1), 49), ((1_572, 0, 0, false, 1), 49)];
    let stored: Vec<_> = std::iter::repeat_n((OTHER, 0), 15)
        .chain([(OTHER, 122), (OTHER, 123), (OTHER, 124)])
        .chain(far_apart)
        .chain(at_once)
        .chain(std::iter::repeat_n(((1_616, 2, 0, false, 1), 5), 3))
        .collect();

    let (found, expected) = found(&stored);

    assert_eq!(differences(&found, &expected), Vec::<String>::new());
    let fastest = expected.values().map(|alert| alert.value).reduce(f64::max);
    assert!(fastest > Some(100_000.0), "{fastest:?}");
}

#[test]
fn an_alert_whose_first_event_is_taken_back_late_stands_on_what_came_since_though_it_is_long_ago() {
    let alone = [((1_207, 1, 0, false, 1), 0), ((1_381, 1, 0, false, 1), 0)];
    let partner_of_the_first = ((1_027, 1, 0, true, 1), 332);
    let stored: Vec<_> = std::iter::repeat_n((OTHER, 0), 13)
        .chain(alone)
        .chain([((1_138, 2, 0, false, 1), 220), partner_of_the_first])
        .chain([((1_350, 2, 0, false, 1), 8), ((1_351, 2, 0, false, 1), 8)])
        .chain([((1_419, 2, 0, false, 1), 0), ((1_426, 2, 0, false, 1), 0)])
        .chain(std::iter::repeat_n(((1_591, 2, 0, false, 1), 0), 3))
        .chain([((1_591, 2, 0, false, 1), 539)])
        .collect();

    let (found, expected) = found(&stored);

    assert_eq!(differences(&found, &expected), Vec::<String>::new());
    let is_of_the_second = |alert: &&Finding| alert.at == UtcMicros::from_seconds(START.as_seconds() + 1_381);
    assert!(expected.values().any(|alert| is_of_the_second(&alert)));
}

#[test]
fn what_comes_in_time_but_after_the_stretch_that_is_judged_again_is_not_missed() {
    let last_of_the_stretch = 4_195;
    let told = [
        (300, 2, 0, false, 1),
        OTHER,
        (last_of_the_stretch, 1, 0, false, 1),
        (last_of_the_stretch + 10, 1, 0, true, 1),
    ];

    let found = live(&told, &[0, 310, 0, 0], &[1]);

    assert_eq!(differences(&found, &all_at_once(&told)), Vec::<String>::new());
}

#[test]
fn what_one_waits_for_is_not_missed_because_it_was_not_old_enough_to_be_read() {
    let pair = [((860, 1, 0, false, 1), 140), ((885, 1, 0, true, 1), 115)];
    let stored: Vec<_> = std::iter::repeat_n((OTHER, 0), 14)
        .chain([((501, 2, 0, false, 1), 0)])
        .chain(std::iter::repeat_n((OTHER, 502), 3))
        .chain(pair)
        .chain(std::iter::repeat_n(((1_000, 2, 0, false, 1), 0), 6))
        .collect();

    let (found, expected) = found(&stored);

    assert_eq!(differences(&found, &expected), Vec::<String>::new());
}
