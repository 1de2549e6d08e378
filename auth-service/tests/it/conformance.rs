//! The page of what standards and the faults of others ask names tests that exist.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Every function, as `file::function`; a file that is `mod.rs` has the name of its folder.
fn functions() -> BTreeSet<String> {
    let crates = ["shared", "auth-service"].map(|name| root().join(name));
    let mut folders: Vec<PathBuf> = crates
        .iter()
        .flat_map(|folder| [folder.join("src"), folder.join("tests")])
        .collect();
    let mut functions = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let stem = path.file_stem().unwrap().to_str().unwrap();
                let folder = path.parent().unwrap().file_name().unwrap().to_str().unwrap();
                let names = if stem == "mod" || stem == "tests" {
                    vec![stem, folder]
                } else {
                    vec![stem]
                };
                let text = std::fs::read_to_string(&path).unwrap();
                for after in text.split("fn ").skip(1) {
                    let function: String = after
                        .chars()
                        .take_while(|c| c.is_alphanumeric() || *c == '_')
                        .collect();
                    functions.extend(names.iter().map(|name| format!("{name}::{function}")));
                }
            }
        }
    }
    functions
}

#[test]
fn every_test_on_the_page_exists() {
    let page = std::fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let named: BTreeSet<_> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.contains("::") && *word != "file::test")
        .collect();
    assert!(named.len() > 80, "{}", named.len());

    let functions = functions();
    let missing: Vec<_> = named.iter().filter(|name| !functions.contains(**name)).collect();

    assert!(missing.is_empty(), "docs/conformance.md names {missing:?}");
}

#[test]
fn every_row_on_the_page_has_a_test_or_says_that_it_is_not_met() {
    let page = std::fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let rows = page
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("| what is asked"));

    for row in rows.filter(|row| !row.starts_with("| | fault")) {
        let last = row.trim_end_matches([' ', '|']).rsplit(" | ").next().unwrap();
        let is_told = last.contains("::") || last.starts_with("not met: ") || last.starts_with("met where ");
        assert!(is_told, "{row}");
    }
}
