//! What an administrator keeps out is refused at the door, over RabbitMQ, and let in again.

use serde_json::{Value, json};

use crate::pipeline::{ALONE, eventually};
use crate::system::{System, curl};

/// An address of this machine that nobody else in this test has.
const ADDRESS: &str = "127.0.0.2";

/// `GET /api/me` from [`ADDRESS`].
fn ask(system: &System, token: &str) -> (u16, Value) {
    let bearer = format!("authorization: Bearer {token}");
    let url = format!("{}/api/me", system.url());
    curl(&["--interface", ADDRESS, "-H", &bearer, &url])
}

/// `POST`s or `DELETE`s as the administrator.
fn order(system: &System, admin: &str, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let bearer = format!("authorization: Bearer {admin}");
    let url = format!("{}{path}", system.url());
    let json = "content-type: application/json";
    curl(&[
        "-X",
        method,
        "-H",
        &bearer,
        "-H",
        json,
        "-d",
        &body.to_string(),
        &url,
    ])
}

fn access_token(answer: &Value) -> String {
    answer["access_token"].as_str().unwrap().to_owned()
}

#[test]
fn a_block_is_in_force_at_the_door_named_in_the_stored_event_and_taken_back() {
    let _alone = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let Some(mut system) = System::new() else { return };
    system.start_all();
    let admin = access_token(&system.sign_in_first_admin("gatelog"));
    let victim = access_token(&system.sign_in("gatelog"));
    let (_, me) = ask(&system, &victim);

    for (blocked, code) in [
        (json!({ "session": me["session"] }), "session_blocked"),
        (json!({ "token": me["token_id"] }), "token_blocked"),
        (json!({ "address": ADDRESS }), "address_blocked"),
    ] {
        let mut body = blocked.clone();
        body["reason"] = "odd".into();
        body["seconds"] = 600.into();
        let (status, block) = order(&system, &admin, "POST", "/v1/admin/blocks", &body);
        assert_eq!(status, 201, "{block}");

        let refused = eventually("the door refuses", || {
            let (status, answer) = ask(&system, &victim);
            (status != 200).then_some(answer)
        });
        assert_eq!(refused["code"], code, "{refused}");
        let stored = eventually("the refusal is stored", || {
            let query = format!("/v1/events?reason={code}");
            let (status, page) = system.get(&query, &admin);
            assert_eq!(status, 200, "{page}");
            page["events"].as_array().unwrap().first().cloned()
        });
        assert_eq!(stored["detail"]["decision"], block["id"], "{stored}");

        let path = format!("/v1/admin/blocks/{}", block["id"].as_str().unwrap());
        let (status, _) = order(&system, &admin, "DELETE", &path, &json!({}));
        assert_eq!(status, 204);
        eventually("the door lets in again", || {
            (ask(&system, &victim).0 == 200).then_some(())
        });
    }
}
