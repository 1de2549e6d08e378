//! What the fuzz target `policy` checks, on its seeds (`fuzz/`).

#[path = "../../../fuzz/checks/policy.rs"]
mod policy_check;

#[test]
fn paths_and_rules() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fuzz/corpus/policy");
    let seeds = std::fs::read_dir(folder).unwrap();
    let seeds: Vec<_> = seeds
        .map(|seed| std::fs::read(seed.unwrap().path()).unwrap())
        .collect();
    assert!(seeds.len() > 3, "{} seeds", seeds.len());

    for seed in &seeds {
        policy_check::policy(seed);
    }
}
