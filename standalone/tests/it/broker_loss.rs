//! What a broker confirms and loses all the same.

use std::sync::PoisonError;

use crate::pipeline::{ALONE, disturbed, events, eventually, until_stored};
use crate::system::System;

#[test]
fn what_is_deleted_with_its_queue_is_sent_again_by_door_and_auth_service() {
    nothing_is_missing_after_its_queue_was_deleted_and(|_| {});
}

#[test]
fn what_is_deleted_with_its_queue_is_sent_by_who_comes_after_a_producer_that_ended() {
    nothing_is_missing_after_its_queue_was_deleted_and(|system| {
        system.kill("door");
        assert_eq!(system.terminate("auth"), Some(0));
        for service in ["auth", "door"] {
            system.restart(service);
        }
    });
}

fn nothing_is_missing_after_its_queue_was_deleted_and(then: impl FnOnce(&mut System)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let token = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let urls = [system.url().to_owned()];
    let mut session = String::new();

    disturbed(&mut system, &urls, |system| {
        until_stored(system, 10);
        system.kill("collector");
        let signed_in = system.sign_in("gatelog");
        let (_, me) = system.get("/api/me", signed_in["access_token"].as_str().unwrap());
        session = me["session"].as_str().unwrap().to_owned();
        let before = system.queued().unwrap();
        eventually("events are in the queue", || {
            (system.queued() >= Some(before + 20)).then_some(())
        });
        delete_queue(system);
        then(system);
        system.restart("collector");
        until_stored(system, 10);
    });

    eventually("the sign-in is stored", || {
        events(
            &system,
            &token,
            &format!("sid={session}&action=authn_token_created"),
        )
        .pop()
    });
    eventually("nothing is missing", || {
        let (status, answer) = system.get("/v1/completeness", &token);
        assert_eq!(status, 200, "{answer}");
        (answer["missing"] == 0).then_some(())
    });
    assert!(
        system.log("door").contains("they are sent again"),
        "{}",
        system.log("door")
    );
}

#[test]
fn the_last_that_a_door_said_before_it_was_killed_is_not_lost_with_its_queue_though_nobody_misses_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let signed_in = system.sign_in_first_admin("gatelog");
    let token = signed_in["access_token"].as_str().unwrap().to_owned();
    let (_, me) = system.get("/api/me", &token);
    let session = me["session"].as_str().unwrap().to_owned();
    let of_session = |system: &System| events(system, &token, &format!("sid={session}&path=/api/me"));
    eventually("the first request is stored", || of_session(&system).pop());

    system.kill("collector");
    let before = system.queued().unwrap();
    system.get("/api/me", &token);
    eventually("the second is in the queue", || {
        (system.queued() > Some(before)).then_some(())
    });
    system.kill("door");
    delete_queue(&system);
    system.restart("collector");
    eventually("the collector has a queue", || system.queued());
    system.restart("door");
    system.until_all_ready();

    eventually("the second request is stored", || {
        (of_session(&system).len() == 2).then_some(())
    });
}

/// What the broker has confirmed and no collector has taken is gone.
fn delete_queue(system: &System) {
    let queue = format!("{}.collector", system.prefix());
    system.servers.broker_ctl(&["delete_queue", &queue]);
}
