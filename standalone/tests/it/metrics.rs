//! Metrics of all three services at one private address, and nowhere else.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::gatelog::Gatelog;

/// The whole answer to a `GET`.
fn get(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Where the log says that something happens.
fn address(log: &str, message: &str) -> String {
    let lines = log
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let line = lines.into_iter().find(|line| line["message"] == message);
    let line = line.unwrap_or_else(|| panic!("no {message:?} in\n{log}"));
    line["address"].as_str().unwrap().to_owned()
}

#[test]
fn one_private_listener_tells_of_all_three_and_no_public_one_does() {
    let folder = tempfile::tempdir().unwrap();
    let settings = "metrics_listen = \"127.0.0.1:0\"\n";
    std::fs::write(folder.path().join("gatelog.toml"), settings).unwrap();
    let mut gatelog = Gatelog::start_in(folder, &["--config", "gatelog.toml"]);
    gatelog.printed_until("Ctrl-C");
    let log = gatelog.log();

    let metrics = get(&address(&log, "metrics are served"), "/metrics");

    assert!(metrics.starts_with("HTTP/1.1 200 OK\r\n"), "{metrics}");
    for series in [
        "gatelog_auth_database_up 1\n",
        "gatelog_collector_database_up 1\n",
        "gatelog_door_guard_has_keys 1\n",
        "process_resident_memory_bytes ",
    ] {
        assert!(metrics.contains(series), "{series} in\n{metrics}");
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");
    let page = std::fs::read_to_string(page).unwrap();
    for family in metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = family.trim_end().split_once(' ').unwrap();
        let suffix = match kind {
            "counter" => "_total",
            "info" => "_info",
            _ => "",
        };
        let told = format!("`{name}{suffix}`");
        assert!(page.contains(&told), "docs/metrics.md does not tell of {told}");
    }
    for public in ["the door is open", "auth-service is ready"] {
        let answer = get(&address(&log, public), "/metrics");
        assert!(answer.starts_with("HTTP/1.1 404"), "{public}: {answer}");
    }
    assert_eq!(gatelog.terminate().0, Some(0));
}

#[test]
fn nothing_listens_for_metrics_unless_asked() {
    let mut gatelog = Gatelog::start(&[]);
    gatelog.printed_until("Ctrl-C");

    assert!(!gatelog.log().contains("metrics are served"));
}
