//! What becomes of callers while revocations are not heard of.

use std::sync::Arc;
use std::time::Duration;

use shared::clock::{Clock as _, ManualClock, SystemClock};
use shared::enforcement::{BLIND_MAX, Target};
use shared::event::action;

use crate::harness::{Limits, TestDoor, eventually};

const ROUTES: &str = "[[route]]\nname='strict'\nmatch='GET /strict'\nallow='signed-in'\nto='orders'\n\
    [[route]]\nname='lax'\nmatch='GET /lax'\nallow='signed-in'\nto='orders'\nrevocation='best-effort'\n";

async fn door(blind_max: Duration) -> (TestDoor, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(SystemClock.now()));
    let door = TestDoor::start_with(ROUTES, Limits::default(), |settings| {
        settings.gate.clock = clock.clone();
        settings.gate.blind_max = blind_max;
    })
    .await;
    (door, clock)
}

#[tokio::test]
async fn a_blind_door_refuses_everyone_save_on_routes_that_let_in_who_is_not_known_to_be_revoked() {
    let (door, clock) = door(BLIND_MAX).await;
    let (token, revoked) = (
        door.issuer.token(),
        door.issuer.mint(&door.issuer.claims().with("sid", "ses_2")),
    );
    door.issuer.revoke(Target::Sid("ses_2".into()));
    eventually("the revocation is in force", async || {
        door.get("/lax", Some(&revoked)).await.status == 401
    })
    .await;
    let before = door.get("/lax", Some(&token)).await;

    door.issuer.fall_silent();
    clock.advance(BLIND_MAX + Duration::from_secs(1));
    eventually("the door is blind", async || {
        door.get("/strict", Some(&token)).await.status == 503
    })
    .await;

    let strict = door.get("/strict", Some(&token)).await;
    assert_eq!(strict.json()["code"], "revocations_unknown");
    assert_eq!(strict.header("retry-after"), "1");
    let refused = door.get("/lax", Some(&revoked)).await;
    assert_eq!(refused.json()["code"], "token_revoked");
    let lax = door.get("/lax", Some(&token)).await;
    assert_eq!((before.status.as_u16(), lax.status.as_u16()), (200, 200));
    let event = door.event_of(&lax, action::API_REQUEST).await;
    assert_eq!(event.facts.detail["revocation"], "blind");
    let event = door.event_of(&before, action::API_REQUEST).await;
    assert_eq!(event.facts.detail.get("revocation"), None);
}

#[tokio::test]
async fn a_door_is_as_patient_with_silence_as_its_settings_say() {
    let (door, clock) = door(BLIND_MAX * 4).await;
    let token = door.issuer.token();
    let status = async || door.get("/strict", Some(&token)).await.status.as_u16();
    door.issuer.fall_silent();
    // What was asked for before may still be answered, as of the time when it was asked.
    clock.advance(BLIND_MAX * 3);
    assert_eq!(status().await, 200);

    clock.advance(BLIND_MAX * 4);

    eventually("the door is blind", async || status().await == 503).await;
}
