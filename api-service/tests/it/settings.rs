//! What an operator who got a setting wrong is told.

use std::process::Command;

fn told(arguments: &[&str], environment: &[(&str, &str)]) -> (Option<i32>, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_api-service"))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

const GOOD: [(&str, &str); 3] = [
    (
        "GATELOG_API_BROKER_URL",
        "amqp://api-service:s3cret@127.0.0.1:1/%2f",
    ),
    ("GATELOG_API_SPOOL_DIR", "/nonexistent/spool"),
    ("GATELOG_API_SERVICE_TOKEN", "0123456789abcdef0123456789abcdef"),
];

#[test]
fn good_settings_pass_the_check() {
    assert_eq!(told(&["check"], &GOOD), (Some(0), String::new()));
}

#[test]
fn every_mistake_is_told_in_one_go_with_exit_code_78() {
    let (code, text) = told(
        &["check"],
        &[("GATELOG_API_LISTEN", "x"), ("GATELOG_API_TYPO", "1")],
    );

    assert_eq!(code, Some(78));
    for part in [
        "GATELOG_API_LISTEN",
        "unknown setting GATELOG_API_TYPO",
        "BROKER_URL",
        "SPOOL_DIR",
        "SERVICE_TOKEN",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn a_broker_user_that_is_not_named_as_the_service_is_refused_without_its_password() {
    let mut environment = GOOD;
    environment[0].1 = "amqp://guest:s3cret@127.0.0.1/%2f";

    let (code, text) = told(&["check"], &environment);

    assert_eq!(code, Some(78));
    assert!(
        text.contains("must be named api-service") && !text.contains("s3cret"),
        "{text}"
    );
}

#[test]
fn a_spool_that_cannot_be_written_is_told_by_its_cause() {
    let mut environment = GOOD.to_vec();
    environment.push(("GATELOG_API_LISTEN", "127.0.0.1:0"));
    environment[1].1 = "/proc/spool";

    let (code, text) = told(&[], &environment);

    assert_eq!(code, Some(78), "{text}");
    assert!(text.contains("the spool's folder cannot be used"), "{text}");
}

#[test]
fn a_port_in_use_is_one_clear_message() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let spool = tempfile::tempdir().unwrap();
    let mut environment = GOOD.to_vec();
    environment.push(("GATELOG_API_LISTEN", &address));
    environment[1].1 = spool.path().to_str().unwrap();

    let (code, text) = told(&[], &environment);

    assert_eq!(code, Some(78));
    assert!(text.contains(&format!("cannot listen on {address}")), "{text}");
}
