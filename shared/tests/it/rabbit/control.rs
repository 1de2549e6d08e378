//! The word to all.

use std::time::Duration;

use shared::transport::{Announcer, Listener, Word};

use super::{COLLECTOR, PUBLISHER, Rig};
use crate::support::within;

const AUTH: &str = "auth-service";

fn announcer(rig: &Rig, user: &str) -> Announcer {
    rig.transport(user).announcer(Word::Enforcement)
}

fn listener(rig: &Rig, user: &str) -> Listener {
    rig.transport(user).listener(Word::Enforcement)
}

/// Says `word` until `listener` hears it: a listener that is not connected yet misses what is said.
async fn until_heard(announcer: &mut Announcer, listener: &mut Listener, word: &str) {
    let saying = async {
        loop {
            announcer.announce(word.as_bytes().to_vec()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let hearing = async {
        loop {
            if let Ok(body) = listener.hear().await
                && body == word.as_bytes()
            {
                return;
            }
        }
    };
    within(word, async {
        tokio::select! {
            () = saying => {}
            () = hearing => {}
        }
    })
    .await;
}

#[tokio::test]
async fn every_verifier_hears_every_word() {
    let Some(rig) = Rig::find() else { return };
    let mut announcer = announcer(&rig, AUTH);
    let mut door = listener(&rig, PUBLISHER);
    let mut collector = listener(&rig, COLLECTOR);
    until_heard(&mut announcer, &mut door, "door").await;
    until_heard(&mut announcer, &mut collector, "collector").await;

    announcer.announce(b"both".to_vec()).await.unwrap();

    for listener in [&mut door, &mut collector] {
        within("the word", async {
            while listener.hear().await.unwrap() != "both" {}
        })
        .await;
    }
    rig.remove_control().await;
}

#[tokio::test]
async fn a_verifier_connects_again_after_its_connection_was_closed() {
    let Some(rig) = Rig::find() else { return };
    let mut announcer = announcer(&rig, AUTH);
    let mut door = listener(&rig, PUBLISHER);
    until_heard(&mut announcer, &mut door, "before").await;

    rig.close_connections(PUBLISHER);

    until_heard(&mut announcer, &mut door, "after").await;
    rig.remove_control().await;
}

#[tokio::test]
async fn only_auth_service_may_say_a_word_to_all() {
    let Some(rig) = Rig::find() else { return };
    // The exchange is there.
    let mut door = listener(&rig, PUBLISHER);
    until_heard(&mut announcer(&rig, AUTH), &mut door, "it").await;

    let mut false_one = announcer(&rig, PUBLISHER);

    // The broker refuses at the declaration.
    assert!(false_one.announce(b"revoke nobody".to_vec()).await.is_err());
    rig.remove_control().await;
}
