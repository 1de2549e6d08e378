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
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(
        folder.join("node_modules/playwright-core").is_dir(),
        "run `npm ci` in {}, or scripts/test, which does",
        folder.display()
    );
    for file in FILES {
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
}

#[test]
fn the_console_works_in_a_browser_from_the_first_start_on() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();
    let (url, token) = tour
        .lines()
        .find_map(|line| line.trim().split_once("/console/#/setup/"))
        .unwrap();

    drive(
        url,
        &[
            ("GATELOG_TEST_SETUP_TOKEN", token),
            ("GATELOG_TEST_PASSWORD", "a password of several words"),
        ],
    );
}

#[test]
fn the_console_works_in_a_browser_on_the_three_services() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let administrator = system.sign_in_first_admin("gatelog");
    system.let_collector_respond(administrator["access_token"].as_str().unwrap());

    drive(
        system.url(),
        &[("GATELOG_TEST_PASSWORD", "a password of several words")],
    );
}
