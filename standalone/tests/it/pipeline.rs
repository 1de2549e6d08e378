//! The main job on real parts: three kinds of processes, RabbitMQ, PostgreSQL, and clients that we did not write.

use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::gatelog::DEADLINE;
use crate::system::{System, curl};

/// One at a time: two of these tests stop a server that all share.
pub(crate) static ALONE: Mutex<()> = Mutex::new(());

/// Waits until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut answer: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = answer() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

pub(crate) fn events(system: &System, token: &str, query: &str) -> Vec<Value> {
    let (status, answer) = system.get(&format!("/v1/events?{query}"), token);
    assert_eq!(status, 200, "{answer}");
    answer["events"].as_array().unwrap().clone()
}

#[test]
fn a_sign_in_and_the_calls_made_with_its_token_are_found_by_their_session() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let signed_in = system.sign_in_first_admin("gatelog");
    let token = signed_in["access_token"].as_str().unwrap();

    let (me_status, me) = system.get("/api/me", token);
    let (broken_status, broken) = system.get("/api/me", &format!("{token}x"));

    assert_eq!((me_status, broken_status), (200, 401));
    assert_eq!(broken["code"], "token_signature_invalid");
    let session = me["session"].as_str().unwrap();
    let actions = eventually("sign-in, token and both calls are stored", || {
        let stored = events(&system, token, &format!("sid={session}"));
        let mut actions: Vec<_> = stored
            .iter()
            .map(|event| event["action"].as_str().unwrap().to_owned())
            .collect();
        actions.sort();
        (actions.iter().filter(|action| *action == "api_request").count() >= 2).then_some(actions)
    });
    for action in ["authn_login_success", "authn_token_created"] {
        assert!(actions.iter().any(|stored| stored == action), "{actions:?}");
    }
    let denied = events(&system, token, "outcome=denied&route=me");
    assert_eq!(denied[0]["reason"], "token_signature_invalid");
    assert_eq!(denied[0]["actor"]["identity"], "claimed");
}

#[test]
fn pyjwt_accepts_our_tokens_by_our_jwks_and_refuses_a_changed_one() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let signed_in = system.sign_in_first_admin("orders");

    let script = "
import json, sys, jwt
token, issuer = sys.stdin.read().split()
key = jwt.PyJWKClient(issuer + '/.well-known/jwks.json').get_signing_key_from_jwt(token)
check = lambda t: jwt.decode(t, key.key, algorithms=['EdDSA'], audience='orders', issuer=issuer,
                             options={'require': ['exp', 'iat', 'iss', 'aud', 'sub', 'jti']})
claims = check(token)
head, body, signature = token.split('.')
changed = '.'.join([head, body, ('A' if signature[0] != 'A' else 'B') + signature[1:]])
try:
    check(changed)
    sys.exit('a changed token was accepted')
except jwt.InvalidSignatureError:
    print(json.dumps({'header': jwt.get_unverified_header(token), 'claims': claims}))
";
    let printed = python(
        &system,
        script,
        &format!("{} {}", signed_in["access_token"].as_str().unwrap(), system.url()),
    );

    let seen: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(seen["header"]["typ"], "at+jwt");
    assert_eq!(seen["claims"]["username"], "root");
    assert_eq!(seen["claims"]["roles"][0], "admin");
}

#[test]
fn a_pyjwt_service_with_a_shared_secret_is_accepted_as_a_configured_issuer() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    let secret = system.folder.path().join("legacy.secret");
    std::fs::write(&secret, "shared by two services, 32 bytes and more\n").unwrap();
    system.add_policy(&format!(
        "[issuer.legacy]\nurl='https://legacy.example'\naudience=['orders']\ntyp=['JWT']\nsecret_file='{}'\n\
         claims={{ sub='user_id', roles='role' }}\n",
        secret.display()
    ));
    system.start_all();
    let root = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let script = "
import sys, time, jwt
secret = open(sys.stdin.read().strip()).read().strip()
claims = {'iss': 'https://legacy.example', 'aud': 'orders', 'exp': int(time.time()) + 60, 'user_id': 42, 'role': 'clerk'}
print(jwt.encode(claims, secret, algorithm='HS256'))
print(jwt.encode(claims, secret + '!', algorithm='HS256'))
";
    let printed = python(&system, script, secret.to_str().unwrap());
    let (good, forged) = printed.split_once('\n').unwrap();

    let (status, me) = system.get("/api/me", good);
    let (forged_status, _) = system.get("/api/me", forged);

    assert_eq!((status, forged_status), (200, 401));
    assert_eq!(
        (&me["sub"], &me["roles"][0]),
        (&Value::from("42"), &Value::from("clerk"))
    );
    let stored = eventually("the call is stored", || {
        events(&system, &root, "sub=42&outcome=granted").pop()
    });
    assert_eq!(stored["token"]["iss"], "https://legacy.example");
    assert_eq!(stored["token"]["alg"], "HS256");
}

fn python(system: &System, script: &str, input: &str) -> String {
    use std::io::Write as _;
    use std::process::Stdio;
    let mut child = Command::new(&system.servers.python)
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Asks doors for what is not there until it is told to stop, and returns the ids of the requests that were answered.
fn knock(urls: &[String], stop: &AtomicBool) -> BTreeSet<String> {
    let mut answered = BTreeSet::new();
    for url in urls.iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (status, problem) = curl(&[&format!("{url}/nothing")]);
        if status == 404 {
            assert!(answered.insert(problem["request_id"].as_str().unwrap().to_owned()));
        }
    }
    answered
}

/// Runs `disturb` while doors are knocked at, then checks that answered requests are stored events, each once.
pub(crate) fn disturbed(system: &mut System, urls: &[String], disturb: impl FnOnce(&mut System)) {
    let stop = AtomicBool::new(false);
    let answered = std::thread::scope(|scope| {
        let knocking = scope.spawn(|| knock(urls, &stop));
        let disturbing = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| disturb(system)));
        stop.store(true, Ordering::Relaxed);
        let answered = knocking.join().unwrap();
        disturbing.map_or_else(|panic| std::panic::resume_unwind(panic), |()| answered)
    });
    assert!(
        answered.len() >= 20,
        "only {} requests were answered",
        answered.len()
    );
    let stored = eventually("every answered request is stored", || {
        let stored = system.stored_request_ids();
        let missing = answered.iter().filter(|id| !stored.contains(id)).count();
        (missing == 0).then_some(stored)
    });
    let unique: BTreeSet<_> = stored.iter().collect();
    assert_eq!(unique.len(), stored.len(), "no event is stored twice");
}

/// Waits until that many more requests have been stored.
pub(crate) fn until_stored(system: &System, more: usize) {
    let before = system.stored_request_ids().len();
    eventually("more requests are stored", || {
        (system.stored_request_ids().len() >= before + more).then_some(())
    });
}

#[test]
fn two_doors_and_two_collectors_lose_nothing_when_one_of_each_is_killed() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let second = system.start_second_door();
    system.start_second_collector();
    let urls = [system.url().to_owned(), second];

    disturbed(&mut system, &urls, |system| {
        until_stored(system, 20);
        system.kill("collector-2");
        until_stored(system, 20);
        system.kill("door-2");
        until_stored(system, 20);
        system.kill("collector");
        system.restart("collector");
        until_stored(system, 20);
    });
}

#[test]
fn services_start_stop_and_restart_in_any_order() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.restart("door");
    let url = system.url().to_owned();
    let (status, problem) = eventually("the door answers alone", || {
        Some(curl(&[
            "-H",
            "authorization: Bearer e30.e30.e30",
            &format!("{url}/api/me"),
        ]))
        .filter(|(status, _)| *status != 0)
    });
    assert_eq!(status, 401, "{problem}");
    system.restart("collector");
    system.restart("auth");
    system.until_all_ready();
    let token = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();

    for name in ["auth", "collector", "door", "door", "auth", "collector"] {
        assert_eq!(system.terminate(name), Some(0), "{name}\n{}", system.log(name));
        system.restart(name);
        system.until_all_ready();
        assert_eq!(system.get("/api/me", &token).0, 200, "after {name}");
    }

    let log = ["auth", "collector", "door"]
        .map(|name| system.log(name))
        .concat();
    assert!(!log.contains(&token) && !log.contains("panicked"), "{log}");
}

#[test]
fn a_broker_that_restarts_delays_events_and_loses_none() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let urls = [system.url().to_owned()];

    disturbed(&mut system, &urls, |system| {
        until_stored(system, 10);
        system.servers.broker_ctl(&["stop_app"]);
        system.servers.broker_ctl(&["start_app"]);
        until_stored(system, 10);
    });

    assert!(system.queued().is_some(), "the queue is there");
    eventually("the queue is empty", || {
        (system.queued() == Some(0)).then_some(())
    });
}

#[test]
fn a_database_that_restarts_delays_events_and_loses_none() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let token = system.sign_in_first_admin("gatelog")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let urls = [system.url().to_owned()];

    disturbed(&mut system, &urls, |system| {
        until_stored(system, 10);
        system.servers.postgres_ctl(&["restart", "-m", "immediate"]);
        eventually("the database is back", || {
            let ready = Command::new("psql")
                .args(["-XAtqc", "SELECT 1", &system.servers.database_url("postgres")])
                .output();
            ready.unwrap().status.success().then_some(())
        });
        until_stored(system, 10);
    });

    system.until_all_ready();
    assert_eq!(system.get("/v1/events", &token).0, 200);
    assert_eq!(system.sign_in("gatelog")["token_type"], "Bearer");
}
