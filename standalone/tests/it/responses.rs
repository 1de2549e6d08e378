//! The closed loop over real servers: from what an attacker does to the refusal at every door, with the times.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::pipeline::{ALONE, events, eventually};
use crate::system::{System, curl};

/// A session that is used by a program which thieves use ends.
const STOLEN: &str = "
id: stolen-session
title: A session is used by a thief's program
description: For the test.
severity: critical
detection:
  seen:
    action: api_request
    outcome: granted
    client.user_agent: thief/1
  condition: seen
correlation:
  type: event
  group-by: [actor.sid]
respond:
  - action: revoke_session
tests:
  - name: the program is told
    events: [{action: api_request, outcome: granted, client.user_agent: thief/1, actor.sid: ses_1}]
    alerts: [[ses_1]]
  - name: others are not
    events: [{action: api_request, outcome: granted, client.user_agent: curl, actor.sid: ses_1}]
    alerts: []
";

/// A user who is seen with another program is to sign in again.
const ODD: &str = "
id: odd-program
title: A user comes with an odd program
description: For the test.
severity: medium
detection:
  seen:
    action: api_request
    outcome: granted
    client.user_agent: odd/1
  condition: seen
correlation:
  type: event
  group-by: [actor.sub]
respond:
  - action: require_step_up
tests:
  - name: the program is told
    events: [{action: api_request, outcome: granted, client.user_agent: odd/1, actor.sub: usr_1}]
    alerts: [[usr_1]]
  - name: others are not
    events: [{action: api_request, outcome: granted, client.user_agent: curl, actor.sub: usr_1}]
    alerts: []
";

/// The rules of this test: these two, and the one on replayed refresh tokens, whose order is for a trial as it comes, in force.
fn write_rules(folder: &Path) {
    std::fs::create_dir(folder).unwrap();
    std::fs::write(folder.join("stolen.yaml"), STOLEN).unwrap();
    std::fs::write(folder.join("odd.yaml"), ODD).unwrap();
    let built_in = include_str!("../../../audit-collector/rules/refresh-token-reuse.yaml");
    let ordering = built_in.replace(", dry_run: true", "");
    assert_ne!(ordering, built_in);
    std::fs::write(folder.join("refresh-token-reuse.yaml"), ordering).unwrap();
}

fn status_at(door: &str, token: &str) -> (u16, Value) {
    let bearer = format!("authorization: Bearer {token}");
    curl(&["-H", &bearer, &format!("{door}/api/me")])
}

/// Waits until the rule's alert on that session or user has a response that is so, and returns it.
fn response(
    system: &System,
    (auditor, rule, whom): (&str, &str, &str),
    is: impl Fn(&Value) -> bool,
) -> Value {
    eventually(&format!("{rule} was responded to"), || {
        let (_, page) = system.get(&format!("/v1/alerts?rule={rule}"), auditor);
        let alerts = page["alerts"].as_array()?;
        let is_about = |alert: &&Value| {
            alert["group"]
                .as_object()
                .unwrap()
                .values()
                .any(|value| value == whom)
        };
        let alert = alerts.iter().find(is_about)?;
        let fingerprint = alert["fingerprint"].as_str()?;
        let (_, alert) = system.get(&format!("/v1/alerts/{fingerprint}"), auditor);
        let response = alert["responses"][0].clone();
        is(&response).then_some(response)
    })
}

fn refresh(system: &System, token: &str) -> (u16, Value) {
    let url = format!("{}/oauth/token", system.url());
    let form = format!("grant_type=refresh_token&refresh_token={token}");
    curl(&["-d", &form, &url])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// A claim of an access token, such as its session.
fn claim(token: &str, name: &str) -> String {
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    text(&serde_json::from_slice::<Value>(&claims).unwrap()[name])
}

/// Waits until a refusal by each of the two doors is stored that names the decision.
fn until_named_by_both_doors(system: &System, (auditor, sid): (&str, &str), decision: &Value) {
    for instance in ["door", "door-2"] {
        eventually("the refusal names the decision", || {
            let refusals = events(system, auditor, &format!("sid={sid}&outcome=denied"));
            let is_named = |event: &Value| {
                event["source"]["instance"] == instance && event["detail"]["decision"] == *decision
            };
            refusals.iter().any(is_named).then_some(())
        });
    }
}

fn millis(response: &Value, member: &str) -> Duration {
    Duration::from_micros(response[member].as_u64().unwrap())
}

/// A refresh token that was replaced twice is replayed: auth-service itself ends the session, and the alert's response finds that done.
fn replay(system: &System, doors: &[String], auditor: &str) {
    let first = system.sign_in("gatelog");
    let second = refresh(system, &text(&first["refresh_token"])).1;
    let third = refresh(system, &text(&second["refresh_token"])).1;
    let access = text(&third["access_token"]);
    let sid = claim(&access, "sid");
    let replayed = Instant::now();
    let url = format!("{}/oauth/token", system.url());
    let form = format!(
        "grant_type=refresh_token&refresh_token={}",
        text(&first["refresh_token"])
    );
    // The same program with an older token would be two of its parts at odds.
    assert_eq!(curl(&["-A", "stranger/1", "-d", &form, &url]).0, 400);
    for door in doors {
        eventually("the door refuses", || {
            (status_at(door, &access).0 == 401).then_some(())
        });
        println!(
            "replay of a refresh token to the refusal at a door: {:?}",
            replayed.elapsed()
        );
    }
    let asked = (auditor, "refresh-token-reuse", sid.as_str());
    let done = response(system, asked, |response| response["first_refusal"].is_object());
    println!(
        "replay to the response in force: {:?}; to the first stored refusal: {:?} by {}",
        millis(&done, "contained_after_us"),
        millis(&done["first_refusal"], "after_us"),
        done["decision"]
    );
    until_named_by_both_doors(system, (auditor, &sid), &done["decision"]);
}

/// What auth-service does not notice by itself: here the response alone ends the session.
fn use_by_a_thief(system: &System, doors: &[String], auditor: &str) {
    let access = text(&system.sign_in("gatelog")["access_token"]);
    let sid = claim(&access, "sid");
    let bearer = format!("authorization: Bearer {access}");
    let begun = Instant::now();
    let (status, _) = curl(&["-A", "thief/1", "-H", &bearer, &format!("{}/api/me", doors[0])]);
    assert_eq!(status, 200);
    for door in doors {
        let refused = eventually("the door refuses", || {
            let (status, answer) = status_at(door, &access);
            (status == 401).then_some(answer)
        });
        assert_eq!(refused["code"], "token_revoked");
        println!("use by a thief to the refusal at a door: {:?}", begun.elapsed());
    }
    let asked = (auditor, "stolen-session", sid.as_str());
    let done = response(system, asked, |response| response["first_refusal"].is_object());
    assert_eq!(
        (&done["state"], &done["by_rule"]),
        (&json!("in_force"), &json!(true))
    );
    println!(
        "use to the response in force: {:?}; to the first stored refusal: {:?} by {}",
        millis(&done, "contained_after_us"),
        millis(&done["first_refusal"], "after_us"),
        done["decision"]
    );
    until_named_by_both_doors(system, (auditor, &sid), &done["decision"]);
}

/// A doubt about a user: its tokens, refreshed ones too, are refused until it signs in again.
fn sign_in_again(system: &System, doors: &[String]) {
    let before = system.sign_in("gatelog");
    let (access, sub) = (
        text(&before["access_token"]),
        claim(&text(&before["access_token"]), "sub"),
    );
    let bearer = format!("authorization: Bearer {access}");
    let begun = Instant::now();
    let (status, _) = curl(&["-A", "odd/1", "-H", &bearer, &format!("{}/api/me", doors[0])]);
    assert_eq!(status, 200);
    for door in doors {
        let refused = eventually("the door asks for a new sign-in", || {
            let (status, answer) = status_at(door, &access);
            (status == 401).then_some(answer)
        });
        assert_eq!(refused["code"], "reauthentication_required");
        println!(
            "use of an odd program to the refusal at a door: {:?}",
            begun.elapsed()
        );
    }
    let refreshed = refresh(system, &text(&before["refresh_token"])).1;
    assert_eq!(status_at(&doors[0], &text(&refreshed["access_token"])).0, 401);
    // One in the second of the order does not count.
    let anew = eventually("a new sign-in is let in", || {
        let anew = text(&system.sign_in("gatelog")["access_token"]);
        doors
            .iter()
            .all(|door| status_at(door, &anew).0 == 200)
            .then_some(anew)
    });
    let asked = (anew.as_str(), "odd-program", sub.as_str());
    let done = response(system, asked, |response| response["first_refusal"].is_object());
    assert!(text(&done["decision"]).starts_with("blk_"), "{done}");
}

#[test]
fn a_stolen_session_is_revoked_by_its_alert_and_every_door_refuses() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    let rules = system.folder.path().join("rules");
    write_rules(&rules);
    system.start_all();
    let auditor = text(&system.sign_in_first_admin("gatelog")["access_token"]);
    system.collector_environment = vec![("RULES_DIR", text(&json!(rules)))];
    system.let_collector_respond(&auditor);
    let doors = [system.url().to_owned(), system.start_second_door()];

    replay(&system, &doors, &auditor);
    use_by_a_thief(&system, &doors, &auditor);
    // Last: whoever looked until here is to sign in again as well.
    sign_in_again(&system, &doors);
}
