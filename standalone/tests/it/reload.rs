//! A door that is told to read its policy again.

use crate::pipeline::{ALONE, eventually};
use crate::system::System;

#[test]
fn a_door_that_is_hung_up_on_reads_its_policy_again_and_goes_on() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let tokens = system.sign_in_first_admin("orders");

    system.hang_up("door");

    eventually("it is told of", || {
        let told = system.collected("SELECT outcome FROM event WHERE action = 'policy_changed'");
        (told.trim() == "success").then_some(())
    });
    let token = tokens["access_token"].as_str().unwrap();
    assert_eq!(system.get("/api/me", token).0, 200);
}
