//! What the fuzz targets `policy` and `headers` check, on their seeds (`fuzz/`).

#[path = "../../../fuzz/checks/headers.rs"]
mod headers_check;
#[path = "../../../fuzz/checks/policy.rs"]
mod policy_check;

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = format!("{}/../fuzz/corpus/{target}", env!("CARGO_MANIFEST_DIR"));
    let seeds = std::fs::read_dir(folder).unwrap();
    let seeds: Vec<_> = seeds
        .map(|seed| std::fs::read(seed.unwrap().path()).unwrap())
        .collect();
    assert!(seeds.len() > 3, "{} seeds", seeds.len());
    seeds
}

#[test]
fn paths_and_rules() {
    for seed in seeds("policy") {
        policy_check::policy(&seed);
    }
}

#[test]
fn headers_that_cross_the_door() {
    for seed in seeds("headers") {
        headers_check::headers(&seed);
    }
}
