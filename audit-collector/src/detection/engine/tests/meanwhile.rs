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
            due = late
                .take()
                .map(|late| (Again::of(&rules, late), engine.watermark));
        }
        let Some((again, watermark)) = due.filter(|_| index >= meanwhile.begins + meanwhile.lasts) else {
            continue;
        };
        due = None;
        let watermark = UtcMicros::from_micros(watermark);
        let read = watermark.minus(Duration::from_secs(meanwhile.unread));
        let seen = records.iter().take((index + 1) * 5).enumerate();
        let seen = seen.filter(|(place, record)| {
            record.at() >= again.reads_from(&rules, true)
                && (*place < (meanwhile.begins + 1) * 5 || record.at() >= read)
        });
        let seen = seen.map(|(_, record)| record.clone()).collect();
        let known: Vec<_> = ledger.values().map(told_of).collect();
        let found = replayed(&Again::judged(&rules), seen, watermark);
        let outcome = again.judge(&rules, found, &known, watermark);
        engine.correct(&outcome);
        outcome.enter(&mut ledger);
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
    #![proptest_config(ProptestConfig::with_cases(1_000))]

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
