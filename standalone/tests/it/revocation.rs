//! How soon a door knows that a session has ended, over RabbitMQ and without it.

use std::time::{Duration, Instant};

use crate::pipeline::{ALONE, eventually};
use crate::system::{System, curl};

/// Sessions that are ended one after the other.
const SESSIONS: usize = 30;

/// Ends the session of `token` at auth-service, past the door, so that the door learns of it by the feed alone.
fn end(system: &System, token: &str) {
    let bearer = format!("authorization: Bearer {token}");
    let url = format!("{}/v1/logout", system.auth_url());
    assert_eq!(curl(&["-X", "POST", "-H", &bearer, &url]).0, 204);
}

fn is_refused(system: &System, token: &str) -> bool {
    let (status, answer) = system.get("/api/me", token);
    match status {
        200 => false,
        401 => {
            assert_eq!(answer["code"], "token_revoked", "{answer}");
            true
        }
        _ => panic!("{status} {answer}"),
    }
}

fn access_token(system: &System) -> String {
    system.sign_in("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// How long it takes from the answer of the sign-out to the first refusal at the door, as a client sees both.
fn delay(system: &System, token: &str) -> Duration {
    end(system, token);
    let ended = Instant::now();
    eventually("the door refuses", || is_refused(system, token).then_some(()));
    ended.elapsed()
}

#[test]
fn a_door_knows_of_a_revocation_at_once_over_the_broker_and_soon_without_it() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    system.sign_in_first_admin("gatelog");
    eventually("the door hears announcements", || {
        let heard = system.log("door").contains("revocations are announced");
        let listening = system.servers.broker_ctl(&["-q", "list_queues", "name"]);
        (heard || listening.contains(&format!("{}.control.", system.prefix()))).then_some(())
    });

    let tokens: Vec<_> = (0..SESSIONS).map(|_| access_token(&system)).collect();
    let mut delays: Vec<_> = tokens.iter().map(|token| delay(&system, token)).collect();
    delays.sort();
    println!(
        "from the end of a session to the refusal at the door, {SESSIONS} times: median {:?}, p90 {:?}, largest {:?}",
        delays[SESSIONS / 2],
        delays[SESSIONS * 9 / 10],
        delays[SESSIONS - 1]
    );

    // Without the broker the log is asked, and what was missed is caught up by its cursor.
    let (first, second) = (access_token(&system), access_token(&system));
    system.servers.broker_ctl(&["stop_app"]);
    println!("with the broker stopped: {:?}", delay(&system, &first));
    system.servers.broker_ctl(&["start_app"]);
    eventually("announcements are heard again", || {
        system
            .log("door")
            .contains("revocations are announced again")
            .then_some(())
    });
    println!("after its return: {:?}", delay(&system, &second));
}
