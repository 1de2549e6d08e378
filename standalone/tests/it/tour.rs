//! The tour that the first start prints works when it is copied and pasted.

use std::process::Command;

use serde_json::Value;

use crate::gatelog::Gatelog;

/// Pastes the tour's lines into a shell, and returns the answers in order.
pub(crate) fn pasted(tour: &str) -> Vec<Value> {
    let commands: Vec<_> = tour.lines().filter(|line| line.starts_with("  ")).collect();
    // What stands before the first step, such as the token on a line of its own, is no command.
    let first_step = commands.iter().position(|line| line.starts_with("  # ")).unwrap();
    let commands = commands[first_step..].join("\n");
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &commands])
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{commands}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn the_tour_makes_an_administrator_and_reads_both_events_back() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();

    assert!(
        !gatelog.log().contains("auth-service setup-token"),
        "{}",
        gatelog.log()
    );

    let answers = pasted(&tour);

    let [setup, me, broken, events] = answers.try_into().unwrap();
    assert_eq!(setup["username"], "admin");
    assert_eq!(me["username"], "admin");
    assert_eq!(broken["code"], "token_signature_invalid");
    let outcomes: Vec<_> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["outcome"])
        .collect();
    assert_eq!(outcomes, ["denied", "granted"], "{events}");
    assert_eq!(gatelog.terminate().0, Some(0));
}

#[test]
fn a_second_start_keeps_everything_and_offers_no_second_administrator() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();
    pasted(&tour);
    let (_, folder) = gatelog.terminate();

    let mut again = Gatelog::start_in(folder, &[]);

    let printed = again.printed_until("Ctrl-C");
    assert!(!printed.contains("one-time token"), "{printed}");
    assert!(printed.contains("your administrator's name"), "{printed}");
    assert!(printed.contains("/console/\n"), "{printed}");
}

#[test]
fn nothing_secret_stands_in_the_log_or_the_events() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();
    let after = |mark: &str| {
        tour.split_once(mark)
            .unwrap()
            .1
            .split('"')
            .next()
            .unwrap()
            .to_owned()
    };
    let secrets = [after(r#""token":""#), after(r#""password":""#)];

    let answers = pasted(&tour);

    let log = gatelog.log();
    let events = answers.last().unwrap().to_string();
    for secret in secrets {
        assert!(secret.len() >= 16);
        assert!(!log.contains(&secret) && !events.contains(&secret));
    }
}

#[test]
fn a_killed_process_loses_no_event_of_an_answered_request() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();
    let url = tour
        .split_once("running at ")
        .unwrap()
        .1
        .lines()
        .next()
        .unwrap()
        .to_owned();
    pasted(&tour);
    let answered: Vec<String> = (0..50).map(|_| request_id(&url)).collect();
    let folder = gatelog.kill();

    let mut again = Gatelog::start_in(folder, &[]);

    let second = again
        .printed_until("Ctrl-C")
        .replace("YOUR PASSWORD", &password(&tour));
    let lines = second.replace("route=me\"", "reason=no_route&limit=500\"");
    let stored = crate::pipeline::eventually("every event is stored", || {
        let events = pasted(&lines).pop()?;
        let ids: Vec<String> = request_ids(&events);
        answered.iter().all(|id| ids.contains(id)).then_some(ids)
    });
    let unique: std::collections::BTreeSet<_> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "no event is stored twice");
}

fn password(tour: &str) -> String {
    tour.split_once(r#""password":""#)
        .unwrap()
        .1
        .split('"')
        .next()
        .unwrap()
        .to_owned()
}

fn request_ids(events: &Value) -> Vec<String> {
    let events = events["events"].as_array().unwrap().iter();
    events
        .map(|event| event["trace"]["request_id"].as_str().unwrap().to_owned())
        .collect()
}

/// Asks for what is not there, and returns the request's id.
fn request_id(url: &str) -> String {
    let output = Command::new("curl")
        .args(["-s", &format!("{url}/nothing")])
        .output()
        .unwrap();
    let problem: Value = serde_json::from_slice(&output.stdout).unwrap();
    problem["request_id"].as_str().unwrap().to_owned()
}
