//! The demo: a small API, a few people, honest and hostile requests, and what the log knows about them.

mod api;
mod client;
mod people;
mod report;
mod traffic;

use shared::runtime::cli::{StartError, say};
use shared::runtime::shutdown::CancellationToken;
use uuid::Uuid;

use crate::settings::Settings;
use crate::start;
use client::Client;

/// The audience of the demo's API.
const AUDIENCE: &str = "shop";

/// Runs the demo in a folder of its own, which is gone when it ends, and stays up until `shutdown`.
pub async fn run(settings: Settings, shutdown: CancellationToken) -> Result<(), StartError> {
    let folder = tempfile::Builder::new()
        .prefix("gatelog-demo-")
        .tempdir()
        .map_err(StartError::failed)?;
    let api = api::start().await?;
    let policy_file = folder.path().join("policy.toml");
    std::fs::write(&policy_file, api::policy(api)).map_err(StartError::failed)?;
    let settings = Settings {
        data_dir: folder.path().join("data"),
        policy_file: Some(policy_file),
        audiences: vec![AUDIENCE.to_owned()],
        ..settings
    };
    let running = tokio::select! {
        started = start(&settings) => started?,
        () = shutdown.cancelled() => return Ok(()),
    };
    let client = Client::new(&running.url)?;
    let told = tell(&client, running.setup_token.as_deref()).await;
    if let Err(error) = told {
        running.until(cancelled()).await?;
        return Err(error);
    }
    running.until(shutdown).await
}

async fn tell(client: &Client, setup_token: Option<&str>) -> Result<(), StartError> {
    let setup_token =
        setup_token.ok_or_else(|| StartError::failed("the demo's data already have an administrator"))?;
    say(&format!("\nGatelog is running at {}\n", client.url()));
    let people = people::make(client, setup_token).await?;
    traffic::send(client, &people).await?;
    say(&report::text(client, &people).await?);
    Ok(())
}

/// A password that nobody has used before.
pub fn fresh_password() -> String {
    Uuid::new_v4().simple().to_string()
}

fn cancelled() -> CancellationToken {
    let token = CancellationToken::new();
    token.cancel();
    token
}
