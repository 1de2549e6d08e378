//! That rules are read, and what is wrong with them is told.

use std::collections::BTreeSet;

use super::*;

fn built_in() -> RuleSet {
    let source = RuleSource {
        folder: None,
        issuer: "https://auth.example".into(),
        ..RuleSource::default()
    };
    source.load().unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn every_rule_of_the_program_passes_its_own_tests() {
    for rule in built_in().rules() {
        for trial in &rule.trials {
            trial.run(rule).unwrap_or_else(|failure| panic!("{failure}"));
        }
    }
}

#[test]
fn every_file_of_the_folder_is_in_the_program_and_named_by_its_id() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules");
    let names = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name());
    let mut files: BTreeSet<String> = names.map(|name| name.into_string().unwrap()).collect();
    files.remove(lists::FILE);

    let rules = built_in();

    let named = rules.rules().iter().map(|rule| format!("{}.yaml", rule.id));
    assert_eq!(named.collect::<BTreeSet<_>>(), files);
}

#[test]
fn every_rule_says_what_it_may_take_for_an_attack_and_where_it_is_from() {
    for rule in built_in().rules() {
        assert!(!rule.falsepositives.is_empty(), "{}", rule.id);
        assert!(!rule.references.is_empty(), "{}", rule.id);
        assert!(
            rule.tags.iter().any(|tag| tag.starts_with("gatelog.")),
            "{}",
            rule.id
        );
    }
}

fn load(files: &[(&str, &str)]) -> Result<RuleSet, InvalidRules> {
    let folder = tempfile::TempDir::new().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: String::new(),
        ..RuleSource::default()
    };
    let loaded = source.load();
    loaded.map_err(|InvalidRules(problems)| {
        // Without the temporary folder's name.
        let short = |problem: RuleProblem| RuleProblem {
            file: problem.file.rsplit('/').next().unwrap().to_owned(),
            ..problem
        };
        InvalidRules(problems.into_iter().map(short).collect())
    })
}

const BRUTE_FORCE: &str = include_str!("../../../../rules/brute-force-account.yaml");

#[test]
fn a_rule_of_the_operator_s_replaces_the_one_with_its_id() {
    let rules = load(&[(
        "mine.yaml",
        &BRUTE_FORCE.replace("severity: medium", "severity: low"),
    )])
    .unwrap();

    let rule = rules.find("brute-force-account").unwrap();
    assert_eq!(rule.severity, crate::detection::rule::Severity::Low);
    assert_eq!(rules.rules().len(), built_in().rules().len());
}

#[test]
fn everything_that_is_wrong_is_told_at_once_with_its_file_and_line() {
    let bad_field = BRUTE_FORCE.replace("action: authn_login_fail\n  condition", "acton: x\n  condition");
    let bad_words = BRUTE_FORCE
        .replace("timespan: 5m", "timespan: 5 minutes")
        .replace("group-by: [actor.username]", "group-by: [actor.name]");
    let unknown_member = BRUTE_FORCE.replace("severity:", "author: me\nseverity:");
    let not_yaml = "id: [";
    let twice = BRUTE_FORCE;

    let problems = load(&[
        ("a.yaml", &bad_field),
        ("b.yaml", &bad_words),
        ("c.yaml", &unknown_member),
        ("d.yaml", not_yaml),
        ("e.yaml", twice),
        ("f.yaml", twice),
        ("ignored.txt", "no rule"),
    ])
    .unwrap_err();

    let told = problems.to_string();
    let expected = [
        "a.yaml:15: there is no field \"acton\"",
        "b.yaml:19: there is no field \"actor.name\"",
        "b.yaml:20: \"5 minutes\" is no duration",
        "c.yaml:6: unknown field `author`",
        "d.yaml:1: ",
        "f.yaml:1: the id brute-force-account is also that of ",
    ];
    for (line, expected) in told.lines().zip(expected) {
        assert!(line.contains(expected), "{expected}\n{told}");
    }
    assert_eq!(told.lines().count(), expected.len(), "{told}");
}

#[test]
fn a_list_that_no_rule_names_is_a_mistake_on_its_line() {
    let named = BRUTE_FORCE.replacen(
        "  condition: ",
        "  own:\n    client.ip|expand: \"%my_networks%\"\n  condition: ",
        1,
    );
    let lists = "canary_users: [eve]\nmy_networks:\n  - 192.0.2.1\ncanary_token: [x]\nown_scaners: []\n";

    let problems = load(&[("mine.yaml", &named), ("lists.yaml", lists)]).unwrap_err();

    let said = problems.to_string();
    assert_eq!(
        said,
        "lists.yaml:4: no rule names the list %canary_token%\nlists.yaml:5: no rule names the list %own_scaners%"
    );
}

#[test]
fn bounds_that_always_or_never_hold_are_mistakes() {
    let bounded = |bound: &str| BRUTE_FORCE.replace("condition: {gte: 10}", bound);
    for wrong in [
        "condition: {gte: 0}",
        "condition: {gte: -3}",
        "condition: {gte: .nan}",
        "condition: {lte: -1}",
        "condition: {gte: 10, lte: 9}",
    ] {
        let problems = load(&[("a.yaml", &bounded(wrong))]).unwrap_err().to_string();
        assert!(problems.contains("a.yaml:23: "), "{wrong}: {problems}");
    }
    assert!(load(&[("a.yaml", &bounded("condition: {gte: 10, lte: 10000}"))]).is_ok());

    let travel = include_str!("../../../../rules/impossible-travel.yaml");
    for member in ["distance-km", "speed-kmh"] {
        let (before, after) = travel.split_once(&format!("{member}: ")).unwrap();
        let problems = load(&[("a.yaml", &format!("{before}{member}: -{after}"))]).unwrap_err();
        assert!(problems.to_string().contains("more than 0"), "{problems}");
    }
    let ordered = include_str!("../../../../rules/success-after-failures.yaml");
    let problems = load(&[("a.yaml", &ordered.replace("gte: 10", "gte: 0"))]).unwrap_err();
    assert!(problems.to_string().contains("more than 0"), "{problems}");
}

#[test]
fn a_test_has_an_end() {
    let lasting = |members: &str| BRUTE_FORCE.replace("{repeat: 10, every: 30s,", &format!("{{{members},"));
    for wrong in [
        "repeat: 20000, every: 99999999999d",
        "repeat: 10, every: 600d",
        "at: 4000d, repeat: 10",
        "repeat: 18446744073709551615, every: 1s",
    ] {
        let problems = load(&[("a.yaml", &lasting(wrong))]).unwrap_err().to_string();
        assert!(problems.contains("a test "), "{wrong}: {problems}");
    }
    let many = "repeat: 11000, every: 1s, action: api_request}\n      - {repeat: 11000, every: 1s";
    let problems = load(&[("a.yaml", &lasting(many))]).unwrap_err().to_string();
    assert!(problems.contains("at most 20000 events"), "{problems}");
}

#[test]
fn members_that_mean_nothing_for_the_type_are_mistakes() {
    let text = BRUTE_FORCE.replace("timespan: 5m", "timespan: 5m\n  factor: 3");

    let problems = load(&[("a.yaml", &text)]).unwrap_err().to_string();

    assert!(
        problems.contains("`factor` means nothing for the type event_count"),
        "{problems}"
    );
}

#[test]
fn a_rule_has_tests_that_find_something_and_some_that_do_not() {
    let (text, _) = BRUTE_FORCE.split_once("  - name: nine").unwrap();

    let problems = load(&[("a.yaml", text)]).unwrap_err().to_string();

    assert!(problems.contains("one that finds nothing"), "{problems}");
}

#[test]
fn the_hash_changes_with_any_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: String::new(),
        ..RuleSource::default()
    };
    let empty = source.current_hash();
    std::fs::write(folder.path().join("a.yaml"), "a").unwrap();
    let one = source.current_hash();
    std::fs::rename(folder.path().join("a.yaml"), folder.path().join("b.yaml")).unwrap();

    assert_ne!(empty, one);
    assert_ne!(source.current_hash(), one);
}
