//! The demo's people: an administrator and three users, each with a password that is made up on the spot.

use http::StatusCode;
use serde_json::json;
use shared::runtime::cli::{StartError, say};

use super::client::{Answer, Client};
use super::{AUDIENCE, fresh_password};

/// Someone who can sign in.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) password: String,
    pub(super) access_token: String,
    pub(super) refresh_token: String,
}

/// Everyone in the demo.
pub(super) struct People {
    pub(super) admin: Person,
    pub(super) users: Vec<Person>,
}

/// Makes them as an administrator would: nobody chooses another one's password.
pub(super) async fn make(client: &Client, setup_token: &str) -> Result<People, StartError> {
    let password = fresh_password();
    let body = json!({ "token": setup_token, "username": "admin", "password": password });
    expect(
        "make the first administrator",
        client.post("/v1/setup", None, &body).await?,
        StatusCode::CREATED,
    )?;
    let admin = sign_in(client, "admin", password, "gatelog").await?;
    let mut users = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let body = json!({ "username": name, "roles": ["user"] });
        let made = client
            .post("/v1/admin/users", Some(&admin.access_token), &body)
            .await?;
        let made = expect("make a user", made, StatusCode::CREATED)?;
        let password = fresh_password();
        let body = json!({ "token": made.text("password_token"), "password": password });
        expect(
            "set a password",
            client.post("/v1/password", None, &body).await?,
            StatusCode::NO_CONTENT,
        )?;
        users.push(sign_in(client, name, password, AUDIENCE).await?);
    }
    say("made the administrator and alice, bob and carol, and signed them in");
    Ok(People { admin, users })
}

async fn sign_in(
    client: &Client,
    name: &'static str,
    password: String,
    audience: &str,
) -> Result<Person, StartError> {
    let body = json!({ "username": name, "password": password, "audience": audience });
    let signed_in = expect(
        "sign in",
        client.post("/v1/login", None, &body).await?,
        StatusCode::OK,
    )?;
    Ok(Person {
        name,
        password,
        access_token: signed_in.text("access_token"),
        refresh_token: signed_in.text("refresh_token"),
    })
}

fn expect(what: &str, answer: Answer, status: StatusCode) -> Result<Answer, StartError> {
    if answer.status == status {
        return Ok(answer);
    }
    Err(StartError::failed(format!(
        "the demo could not {what}: {} {}",
        answer.status,
        answer.text("detail")
    )))
}
