//! The page of events says what the code says, and nothing else.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use shared::event::{Class, Outcome};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/events.md")).unwrap()
}

/// The rows of the table of actions, as their cells.
fn rows(page: &str) -> Vec<Vec<String>> {
    let (_, section) = page.split_once("## Actions\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

/// The words between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The texts between quotation marks that follow `call` in a source, whatever the line breaks between.
fn arguments(source: &str, call: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in source.match_indices(call) {
        let rest = source[at + call.len()..].trim_start();
        if let Some(rest) = rest.strip_prefix('"') {
            found.push(rest.split('"').next().unwrap().to_owned());
        }
    }
    found
}

/// The words that types give whose names say that they are reasons or causes.
fn words_of_reasons(source: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (at, _) in source.match_indices("\nimpl ") {
        let block = source[at..].split("\n}\n").next().unwrap();
        let name = block.split_whitespace().nth(1).unwrap();
        if name.ends_with("Reason") || name.ends_with("Cause") {
            words.extend(arguments(block, "=>"));
        }
    }
    words
}

/// The code of the services, without their tests.
fn sources() -> String {
    let crates = ["shared", "auth-service", "api-service", "audit-collector"];
    let mut folders: Vec<PathBuf> = crates.iter().map(|name| root().join(name).join("src")).collect();
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                sources += text.split("\n#[cfg(test)]\nmod tests {").next().unwrap();
            }
        }
    }
    sources
}

#[test]
fn every_action_stands_on_the_page_and_every_row_is_an_action() {
    let code = std::fs::read_to_string(root().join("shared/src/event/action.rs")).unwrap();
    let actions: BTreeSet<_> = arguments(&code, "&str =").into_iter().collect();
    let page = page();
    let told: BTreeSet<_> = rows(&page)
        .iter()
        .map(|row| quoted(&row[1]).next().unwrap().to_owned())
        .collect();

    assert!(actions.len() > 10, "{actions:?}");
    assert_eq!(actions, told, "docs/events.md has a row for each action");
}

#[test]
fn every_row_names_classes_and_outcomes_that_exist_and_says_what_happened() {
    let classes = Class::ALL.map(Class::as_str);
    let outcomes = Outcome::ALL.map(Outcome::as_str);
    for row in rows(&page()) {
        assert_eq!(row.len(), 7, "{row:?}");
        for class in row[2].split(" · ") {
            assert!(classes.contains(&class), "{row:?}");
        }
        for outcome in row[3].split(" · ") {
            let outcome = outcome.split(':').next().unwrap();
            assert!(outcomes.contains(&outcome), "{outcome} in {row:?}");
        }
        assert!(!row[4].is_empty(), "{row:?}");
    }
}

#[test]
fn every_member_of_a_detail_and_every_reason_is_told() {
    let page = page();
    let told: BTreeSet<_> = quoted(&page).collect();
    let code = sources();
    let mut used = arguments(&code, ".with_detail(");
    used.extend(arguments(&code, ".because("));
    used.extend(words_of_reasons(&code));
    assert!(used.len() > 10, "{used:?}");

    let untold: BTreeSet<_> = used.iter().filter(|word| !told.contains(word.as_str())).collect();

    assert!(untold.is_empty(), "docs/events.md does not tell of {untold:?}");
}
