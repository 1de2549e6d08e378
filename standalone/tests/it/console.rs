//! The console in a browser (`tests/browser/`): on the single process, and on the three services.

use std::path::Path;
use std::process::Command;

use crate::gatelog::Gatelog;
use crate::pipeline::ALONE;
use crate::system::System;

/// The browser's tests. Those of the first file make the administrator whom the others need.
const FILES: [&str; 5] = [
    "console.test.js",
    "events.test.js",
    "alerts.test.js",
    "people.test.js",
    "pure.test.js",
];

/// Runs them, all of which must pass.
fn drive(url: &str, environment: &[(&str, &str)]) {
    for file in FILES {
        drive_file(file, url, environment);
    }
}

fn drive_file(file: &str, url: &str, environment: &[(&str, &str)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(
        folder.join("node_modules/playwright-core").is_dir(),
        "run `npm ci` in {}, or scripts/test, which does",
        folder.display()
    );
    let output = Command::new("node")
        .args(["--test", "--test-reporter=spec", file])
        .current_dir(&folder)
        .env("GATELOG_TEST_URL", url)
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && told.contains("fail 0"),
        "{told}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Where a process for itself is, and the token of its set-up.
fn begun(gatelog: &mut Gatelog) -> (String, String) {
    let tour = gatelog.printed_until("Ctrl-C");
    let link = tour
        .lines()
        .find_map(|line| line.trim().split_once("/console/#/setup/"));
    let (url, token) = link.unwrap();
    (url.to_owned(), token.to_owned())
}

/// A file that names somebody to be told of alerts who cannot be reached.
fn told_of_alerts(folder: &Path) -> String {
    let (url, file) = (folder.join("desk.url"), folder.join("notifications.toml"));
    std::fs::write(&url, "http://127.0.0.1:1/desk").unwrap();
    std::fs::write(&file, format!("[slack.desk]\nurl_file = {url:?}\n")).unwrap();
    file.to_str().unwrap().to_owned()
}

#[test]
fn the_console_works_in_a_browser_from_the_first_start_on() {
    let folder = tempfile::tempdir().unwrap();
    let notifications = told_of_alerts(folder.path());
    let mut gatelog = Gatelog::start_with(&[("GATELOG_NOTIFICATIONS_FILE", &notifications)]);
    let (url, token) = begun(&mut gatelog);

    drive(
        &url,
        &[
            ("GATELOG_TEST_SETUP_TOKEN", &token),
            ("GATELOG_TEST_PASSWORD", "a password of several words"),
        ],
    );
}

#[test]
fn the_console_names_nobody_where_names_are_hidden() {
    let mut gatelog = Gatelog::start_with(&[
        ("GATELOG_PSEUDONYMISE", "names,addresses"),
        ("GATELOG_PSEUDONYM_KEYS", &"0f".repeat(32)),
    ]);
    let (url, token) = begun(&mut gatelog);

    drive_file(
        "pseudonyms.test.js",
        &url,
        &[
            ("GATELOG_TEST_SETUP_TOKEN", &token),
            ("GATELOG_TEST_PASSWORD", "a password of several words"),
        ],
    );
}

#[test]
fn the_console_works_in_a_browser_on_the_three_services() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let notifications = ("NOTIFICATIONS_FILE", told_of_alerts(folder.path()));
    system.collector_environment.push(notifications);
    system.start_all();
    let administrator = system.sign_in_first_admin("gatelog");
    system.let_collector_respond(administrator["access_token"].as_str().unwrap());

    drive(
        system.url(),
        &[("GATELOG_TEST_PASSWORD", "a password of several words")],
    );
}
