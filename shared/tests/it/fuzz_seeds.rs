//! What the fuzz targets `token` and `event` check, on their seeds (`fuzz/`).

#[path = "../../../fuzz/checks/event.rs"]
mod event_check;
#[path = "../../../fuzz/checks/token.rs"]
mod token_check;

/// Gives every seed of a target to its check.
fn replay(target: &str, check: impl Fn(&[u8])) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus");
    let seeds = std::fs::read_dir(format!("{folder}/{target}")).unwrap();
    let seeds: Vec<_> = seeds
        .map(|seed| std::fs::read(seed.unwrap().path()).unwrap())
        .collect();
    assert!(seeds.len() > 3, "{target} has {} seeds", seeds.len());
    for seed in &seeds {
        check(seed);
    }
}

#[test]
fn tokens() {
    replay("token", token_check::token);
}

#[test]
fn events() {
    replay("event", event_check::event);
}
