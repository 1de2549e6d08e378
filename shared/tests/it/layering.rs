//! The house's rules that no lint knows: which file may name which library, how long a file may be, what opens it.

use std::collections::BTreeMap;
use std::path::Path;

/// The crates and where each keeps its sources.
const CRATES: [&str; 5] = [
    "shared",
    "auth-service",
    "api-service",
    "audit-collector",
    "standalone",
];

/// Lines of a file at most, without its tests, comments and blank lines.
const NET_LINES_MAX: usize = 300;

/// A path of a library, and the files that may name it: by their name in any folder, or by the beginning of their path.
const LAYERS: [(&str, &[&str], &[&str]); 8] = [
    (
        "axum::",
        &[
            "handler.rs",
            "extract.rs",
            "app.rs",
            "error.rs",
            "mod.rs",
            "lib.rs",
            "service.rs",
        ],
        &[
            "shared/src/http/",
            // The door is HTTP itself.
            "api-service/src/door/",
            "api-service/src/forward_auth/",
            "api-service/src/gate/",
            "api-service/src/layer/",
            "api-service/src/proxy/",
            "audit-collector/src/access/",
            // Who asks others speaks HTTP too.
            "audit-collector/src/response/auth.rs",
            "audit-collector/src/webhook/send.rs",
            "auth-service/src/request/",
            // RFC 6749 has forms and answers of its own.
            "auth-service/src/token/answer.rs",
            "auth-service/src/token/form.rs",
            "standalone/src/",
        ],
    ),
    (
        "sqlx::",
        &["store.rs", "schema.rs"],
        &[
            "shared/src/database/",
            "auth-service/src/database/",
            "audit-collector/src/database/",
            // The log's store has two halves: what writes it and what follows it.
            "audit-collector/src/event_log/read.rs",
            "audit-collector/src/search/statement.rs",
        ],
    ),
    ("lapin::", &["rabbit.rs"], &["shared/src/transport/"]),
    ("rusqlite::", &[], &["shared/src/spool/"]),
    (
        "jsonwebtoken::",
        &[],
        &["shared/src/token/", "auth-service/src/signing_key/"],
    ),
    // Services never import each other; standalone composes them.
    ("auth_service::", &[], &["auth-service/", "standalone/"]),
    ("api_service::", &[], &["api-service/", "standalone/"]),
    ("audit_collector::", &[], &["audit-collector/", "standalone/"]),
];

/// The files below every crate's `src`, by their path in the workspace.
type Sources = BTreeMap<String, String>;

fn workspace() -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let mut sources = Sources::new();
    let mut folders: Vec<_> = CRATES.iter().map(|name| root.join(name).join("src")).collect();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                sources.insert(name, std::fs::read_to_string(path).unwrap());
            }
        }
    }
    sources
}

/// What is against the rules, one line each.
fn faults(sources: &Sources) -> Vec<String> {
    let mut faults = Vec::new();
    for (path, text) in sources {
        let opening = text.lines().next().unwrap_or_default();
        if !opening.starts_with("//!") && !opening.starts_with("#![doc = include_str!") {
            faults.push(format!("{path} does not open with a `//!` sentence"));
        }
        let lines = net_lines(text);
        if lines.len() > NET_LINES_MAX {
            faults.push(format!(
                "{path} has {} net lines; {NET_LINES_MAX} are allowed",
                lines.len()
            ));
        }
        for (library, names, places) in LAYERS {
            let file = path.rsplit('/').next().unwrap_or_default();
            let may = names.contains(&file) || places.iter().any(|place| path.starts_with(place));
            if !may && lines.iter().any(|line| names_path(line, library)) {
                faults.push(format!("{path} names {library}, which belongs to another layer"));
            }
        }
        if !is_declared(sources, path) {
            faults.push(format!(
                "{path} is declared by no `mod`, so that nothing compiles it"
            ));
        }
    }
    faults
}

/// The lines that are neither blank nor comment, up to the tests, which stand last.
fn net_lines(text: &str) -> Vec<&str> {
    let code = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = code.lines().map(str::trim);
    lines
        .filter(|line| !line.is_empty() && !line.starts_with("//"))
        .collect()
}

/// Whether `line` names `library` as the beginning of a path; `my_axum::` and `other::axum::` begin otherwise.
fn names_path(line: &str, library: &str) -> bool {
    let mut before = line
        .match_indices(library)
        .map(|(at, _)| line[..at].chars().next_back());
    before.any(|character| character.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | ':' | '"')))
}

fn is_declared(sources: &Sources, path: &str) -> bool {
    let (folder, file) = path.rsplit_once('/').unwrap();
    if matches!(file, "lib.rs" | "main.rs") && folder.ends_with("/src") {
        return true;
    }
    let (folder, module) = match file.strip_suffix("mod.rs") {
        Some("") => folder.rsplit_once('/').unwrap(),
        _ => (folder, file.trim_end_matches(".rs")),
    };
    let parents = ["mod.rs", "lib.rs", "main.rs"].map(|name| sources.get(&format!("{folder}/{name}")));
    let declared = |line: &str| {
        let declared = line
            .trim()
            .strip_suffix(';')
            .and_then(|line| line.rsplit_once("mod "));
        declared.is_some_and(|(_, name)| name == module)
    };
    parents
        .into_iter()
        .flatten()
        .any(|parent| parent.lines().any(declared))
}

#[test]
fn the_workspace_keeps_its_layers() {
    let sources = workspace();
    assert!(sources.len() > 50, "only {} files were found", sources.len());

    let faults = faults(&sources);

    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

/// The faults of a crate that is right but for `text` in `path`.
fn planted(path: &str, text: &str) -> Vec<String> {
    faults(&Sources::from([
        (
            "auth-service/src/lib.rs".to_owned(),
            "#![doc = include_str!(\"../README.md\")]\npub mod session;\n".to_owned(),
        ),
        (
            "auth-service/src/session/mod.rs".to_owned(),
            "//! Sessions.\nmod store;\npub(crate) mod rule;\n".to_owned(),
        ),
        (path.to_owned(), text.to_owned()),
    ]))
}

#[test]
fn the_rules_allow_what_is_right() {
    for (path, text) in [
        ("auth-service/src/session/store.rs", "//! Rows.\nuse sqlx::Row;\n"),
        (
            "auth-service/src/session/rule.rs",
            "//! Rules.\n// Not axum::Json.\nuse my_axum::x;\nlet y = \"sqlx::query\";\n",
        ),
        (
            "auth-service/src/session/rule.rs",
            "//! Rules.\n\n#[cfg(test)]\nmod tests {\n    use axum::Json;\n}\n",
        ),
        (
            "auth-service/src/main.rs",
            "//! Starts.\nuse auth_service::run;\n",
        ),
    ] {
        assert_eq!(planted(path, text), [""; 0], "{text}");
    }
    assert_eq!(
        planted(
            "auth-service/src/session/rule.rs",
            &format!("//! Long.\n{}", "x;\n".repeat(300))
        ),
        [""; 0]
    );
}

#[test]
fn the_rules_find_what_is_planted() {
    let long = format!("//! Long.\n{}", "x;\n".repeat(301));
    for (path, text, expected) in [
        (
            "auth-service/src/session/rule.rs",
            "//! Rules.\nuse axum::Json;\n",
            "names axum::",
        ),
        (
            "auth-service/src/session/rule.rs",
            "//! Rules.\nfn f() -> sqlx::Result<()> {}\n",
            "names sqlx::",
        ),
        (
            "auth-service/src/session/store.rs",
            "//! Rows.\nuse lapin::Channel;\n",
            "names lapin::",
        ),
        (
            "auth-service/src/session/store.rs",
            "//! Rows.\nuse api_service::run;\n",
            "names api_service::",
        ),
        (
            "auth-service/src/session/store.rs",
            "use std::fmt;\n",
            "does not open with",
        ),
        (
            "auth-service/src/session/store.rs",
            long.as_str(),
            "301 net lines",
        ),
        (
            "auth-service/src/session/lost.rs",
            "//! Lost.\n",
            "declared by no `mod`",
        ),
        (
            "auth-service/src/lost/mod.rs",
            "//! Lost.\n",
            "declared by no `mod`",
        ),
        (
            "auth-service/src/session/lib.rs",
            "//! Lost.\n",
            "declared by no `mod`",
        ),
    ] {
        let found = planted(path, text);

        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(
            found[0].contains(expected) && found[0].starts_with(path),
            "{found:?}"
        );
    }
}
