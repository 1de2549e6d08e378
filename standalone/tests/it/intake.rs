//! What another service reports at a door is found at the collector, once, under its own name.

use serde_json::{Value, json};

use crate::pipeline::{ALONE, events, eventually};
use crate::system::System;

fn report(outcome: &str) -> Value {
    json!([{
        "id": "1", "time": "2026-01-31T12:00:00Z", "outcome": outcome,
        "actor": {"sub": "usr_carol", "sid": "ses_carol"},
        "http": {"method": "GET", "route": "/orders/{id}", "path": "/orders/7", "status": 200},
        "trace": {"request_id": "carol-1"},
    }])
}

#[test]
fn a_report_is_found_by_search_once_however_often_and_wherever_it_is_told() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let root = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let machine = system.add_machine(&root, &["audit:write", "orders:read"]);
    let token = system.machine_token(&machine, "gatelog");

    let first = system.post_as("/v1/intake", &token, &report("granted"));
    let by_a_reader = system.post_as("/v1/intake", &root, &report("granted"));
    system.kill("door");
    system.restart("door");
    system.until_all_ready();
    let again = system.post_as("/v1/intake", &token, &report("granted"));
    let otherwise = system.post_as("/v1/intake", &token, &report("denied"));

    assert_eq!((first.0, again.0, otherwise.0), (202, 202, 202), "{first:?}");
    assert_eq!(by_a_reader.1["code"], "insufficient_scope");
    eventually("all three are decided on", || {
        let letters = system.collected("SELECT reason FROM dead_letter ORDER BY reason");
        (letters == "id_conflict\nrepeated").then_some(())
    });
    let [event] = events(&system, &root, "action=reported_request")
        .try_into()
        .unwrap();
    assert_eq!(event["outcome"], "granted");
    assert_eq!(event["actor"]["identity"], "claimed");
    assert_eq!(event["reporter"]["client_id"], machine.0);
    assert_eq!(events(&system, &root, "sid=ses_carol").len(), 1);
    assert_eq!(
        events(&system, &root, "request_id=carol-1&route=/orders/%7Bid%7D").len(),
        1
    );
    eventually("each report is a request to the door as well", || {
        (events(&system, &root, "route=intake").len() == 4).then_some(())
    });
}
