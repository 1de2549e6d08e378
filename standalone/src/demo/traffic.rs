//! A bounded mix of honest and hostile requests.

use std::time::Duration;

use serde_json::json;
use shared::runtime::cli::{StartError, say};

use super::client::{Answer, Client};
use super::people::{People, Person};

/// Orders that each user reads.
const ORDERS: u32 = 12;

/// Passwords that the guesser tries.
const GUESSES: u32 = 6;

/// How often, and how long apart, it is tried whether a revoked session is refused: for five seconds.
const REFUSED_TRIES: u32 = 25;
const REFUSED_PAUSE: Duration = Duration::from_millis(200);

/// Sends them.
pub(super) async fn send(client: &Client, people: &People) -> Result<(), StartError> {
    for person in &people.users {
        honest(client, person).await?;
    }
    say("honest:  everyone looks at the catalog and at orders; bob tries a refund that he may not make");
    guess_passwords(client).await?;
    say("hostile: somebody guesses alice's password, and names that do not exist");
    if let Some(victim) = people.users.first() {
        forge(client, victim).await?;
        say("hostile: somebody sends alice's token broken, unsigned and for Gatelog itself");
    }
    probe(client).await?;
    say("hostile: somebody looks for what is not there");
    if let Some(victim) = people.users.last() {
        replay(client, victim).await?;
        say("hostile: somebody uses carol's stolen refresh token; her session ends at every door\n");
    }
    Ok(())
}

async fn honest(client: &Client, person: &Person) -> Result<(), StartError> {
    let token = Some(person.access_token.as_str());
    client.get("/shop/catalog", None).await?;
    client.get("/api/me", token).await?;
    for order in 1..=ORDERS {
        client.get(&format!("/shop/orders/{order}"), token).await?;
    }
    if person.name == "bob" {
        client.post("/shop/orders/3/refund", token, &json!({})).await?;
    }
    Ok(())
}

async fn guess_passwords(client: &Client) -> Result<(), StartError> {
    for guess in 1..=GUESSES {
        for name in ["alice", "root"] {
            let body = json!({ "username": name, "password": format!("correct horse {guess}") });
            client.post("/v1/login", None, &body).await?;
        }
    }
    Ok(())
}

async fn forge(client: &Client, victim: &Person) -> Result<(), StartError> {
    let token = &victim.access_token;
    let claims = token.split('.').nth(1).unwrap_or_default();
    // {"alg":"none","typ":"at+jwt"}
    let unsigned = format!("eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{claims}.");
    for forged in [&format!("{token}x"), &unsigned, "not-a-token"] {
        client.get("/shop/orders/1", Some(forged)).await?;
    }
    client.get("/v1/events", Some(token)).await?;
    Ok(())
}

async fn probe(client: &Client) -> Result<(), StartError> {
    for path in [
        "/.env",
        "/admin.php",
        "/shop/orders/..%2f1",
        "/shop//orders",
        "/wp-login.php",
        "/shop/orders/1",
    ] {
        client.get(path, None).await?;
    }
    Ok(())
}

/// Two honest refreshes, then another program presents the token that was replaced first: it can only be stolen.
async fn replay(client: &Client, victim: &Person) -> Result<(), StartError> {
    let stolen = victim.refresh_token.clone();
    let mut newest = stolen.clone();
    for _ in 0..2 {
        newest = refresh(client, &newest).await?.text("refresh_token");
    }
    refresh(&client.as_program("curl/8.5.0"), &stolen).await?;
    until_refused(client, victim).await
}

/// The access token, good for minutes by itself, is refused as soon as the door hears that its session is over.
async fn until_refused(client: &Client, victim: &Person) -> Result<(), StartError> {
    for _ in 0..REFUSED_TRIES {
        let answer = client.get("/shop/orders/1", Some(&victim.access_token)).await?;
        if answer.text("code") == "token_revoked" {
            return Ok(());
        }
        tokio::time::sleep(REFUSED_PAUSE).await;
    }
    Err(StartError::failed(
        "the demo's revoked session was not refused in time",
    ))
}

async fn refresh(client: &Client, token: &str) -> Result<Answer, StartError> {
    client
        .post_form(
            "/oauth/token",
            &format!("grant_type=refresh_token&refresh_token={token}"),
        )
        .await
}
