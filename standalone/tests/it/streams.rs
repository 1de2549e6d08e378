//! A live feed whose caller's session ends, beside the three services.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::json;

use crate::gatelog::Gatelog;
use crate::pipeline::{ALONE, eventually};
use crate::system::{System, curl};
use crate::tour::pasted;

/// An answer that has begun and does not end by itself.
const BEGUN: &[u8] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbegun\r\n";

/// Serves one feed until the door hangs up.
fn serve(listener: &TcpListener) {
    let (mut door, _) = listener.accept().unwrap();
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && door.read(&mut byte).unwrap() > 0 {
        head.push(byte[0]);
    }
    door.write_all(BEGUN).unwrap();
    while door.read(&mut byte).is_ok_and(|read| read > 0) {}
}

#[test]
fn the_live_tail_through_the_door_says_why_it_ends_and_ends_in_order() {
    let mut gatelog = Gatelog::start(&[]);
    let tour = gatelog.printed_until("Ctrl-C").to_owned();
    pasted(&tour);
    let after = |mark: &str| tour.split_once(mark).unwrap().1;
    let url = after("curl -s ").split("/v1/setup").next().unwrap();
    let password = after("\"password\":\"").split('"').next().unwrap();
    let body = json!({"username": "admin", "password": password}).to_string();
    let login = format!("{url}/v1/login");
    let (status, tokens) = curl(&["-H", "content-type: application/json", "-d", &body, &login]);
    assert_eq!(status, 200, "{tokens}");
    let bearer = format!(
        "authorization: Bearer {}",
        tokens["access_token"].as_str().unwrap()
    );
    let stream = format!("{url}/v1/events/stream?after=0");
    let mut client = Command::new("curl")
        .args(["-sN", "-m", "60", "-H", &bearer, &stream])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut tail = BufReader::new(client.stdout.take().unwrap());
    let mut first = String::new();
    tail.read_line(&mut first).unwrap();

    assert_eq!(
        curl(&["-X", "POST", "-H", &bearer, &format!("{url}/v1/logout")]).0,
        204
    );

    let mut told = String::new();
    tail.read_to_string(&mut told).unwrap();
    assert!(
        told.contains("event: end\ndata: {\"reason\":\"token_revoked\"}"),
        "{told}"
    );
    assert!(client.wait().unwrap().success(), "it broke off");
    assert_eq!(gatelog.terminate().0, Some(0));
}

#[test]
fn a_feed_breaks_off_when_its_caller_s_session_ends_and_its_upstream_is_let_go() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    system.add_policy(&format!(
        "[upstream.feed]\nservers=['http://{}']\n\
         [[route]]\nname='feed'\nmatch='GET /feed'\nallow='signed-in'\nto='feed'\n",
        listener.local_addr().unwrap()
    ));
    let serving = thread::spawn(move || serve(&listener));
    system.start_all();
    let tokens = system.sign_in_first_admin("orders");
    let bearer = format!(
        "authorization: Bearer {}",
        tokens["access_token"].as_str().unwrap()
    );
    let mut client = Command::new("curl")
        .args(["-sN", "-H", &bearer, &format!("{}/feed", system.url())])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut feed = client.stdout.take().unwrap();
    let mut begun = [0; 5];
    feed.read_exact(&mut begun).unwrap();

    // Past the door, which learns of it by RabbitMQ or by asking.
    let url = format!("{}/oauth/revoke", system.auth_url());
    let refresh = format!("token={}", tokens["refresh_token"].as_str().unwrap());
    assert_eq!(curl(&["--data-urlencode", &refresh, &url]).0, 200);

    let mut rest = Vec::new();
    feed.read_to_end(&mut rest).unwrap();
    assert_eq!((&begun, rest.len()), (b"begun", 0));
    assert!(
        !client.wait().unwrap().success(),
        "it ended as if it were complete"
    );
    serving.join().unwrap();
    eventually("its end is stored", || {
        let ends =
            system.collected("SELECT outcome || ' ' || reason FROM event WHERE action = 'api_response_end'");
        (ends.trim() == "denied token_revoked").then_some(())
    });
}
