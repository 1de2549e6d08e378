//! What every replica does now and then: deletes what is over, and moves on what follows a schedule.
//!
//! Each step is safe to be done by several replicas at once, so that none of them has to be chosen.

use std::time::Duration;

use shared::runtime::shutdown::CancellationToken;

use crate::app::App;
use crate::error::ApiError;
use crate::{
    authorize, block, browser_session, client, enforcement, one_time_token, second_factor, session, sign_in,
    signing_key, throttle,
};

/// How often. What must happen at an exact time does not wait for this.
const EVERY: Duration = Duration::from_mins(1);

/// Works until it is told to stop.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        once(&app).await;
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// Every step once. One that fails does not keep the others from being done, and is tried again next time.
pub(crate) async fn once(app: &App) {
    app.hasher.rest();
    tell(signing_key::upkeep(app).await, "signing keys");
    tell(one_time_token::purge(app).await, "one-time tokens");
    tell(sign_in::ticket::purge(app).await, "tickets of sign-ins");
    tell(second_factor::purge(app).await, "enrolments of second factors");
    tell(client::purge(app).await, "assertions of clients");
    tell(block::purge(app).await, "blocks");
    tell(authorize::purge(app).await, "authorization codes");
    tell(browser_session::purge(app).await, "browser sessions");
    tell(session::purge(app).await, "sessions");
    tell(enforcement::purge(app).await, "the enforcement log");
    tell(throttle::upkeep(app).await, "throttling");
}

fn tell(done: Result<(), ApiError>, what: &'static str) {
    if let Err(error) = done {
        tracing::warn!(%error, what, "upkeep failed; trying again");
    }
}
