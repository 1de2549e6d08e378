//! `audit-collector notify`: sees whether messages arrive.

use std::path::Path;

use clap::Subcommand;
use shared::event::event_id;
use shared::http::client::pooled_client;
use shared::runtime::cli::{StartError, say};

use super::courier::Courier;
use super::notice::Notice;
use super::receiver::Receiver;
use crate::settings::Settings;

/// What can be done with those who are told of alerts.
#[derive(Debug, Subcommand)]
pub enum NotifyCommand {
    /// Sends a message about nothing, and says what each receiver answered; ends with 1 if one did not take it.
    Test {
        /// Who is told, by the name in the file of notifications; all if not given.
        receiver: Option<String>,
    },
}

impl NotifyCommand {
    /// Does it, with the settings of the file at `config`, if any, and of the environment. It needs no database.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let Self::Test { receiver } = self;
        let settings = Settings::load(config)?;
        let courier = Courier {
            receivers: settings.notified.into(),
            public_url: settings.issuer.as_str().into(),
            client: pooled_client().map_err(StartError::failed)?,
            clock: settings.clock,
        };
        let told: Vec<&Receiver> = match &receiver {
            Some(name) => vec![courier.find(name).ok_or_else(|| unknown(&courier, name))?],
            None => courier.receivers.iter().collect(),
        };
        if told.is_empty() {
            return Err(StartError::failed(
                "the settings name nobody who is told of alerts",
            ));
        }
        let mut failed = 0;
        for receiver in told {
            let now = courier.clock.now();
            let notice = Notice::test(event_id(now), now, &courier.public_url);
            let attempt = courier.carry(receiver, &notice).await;
            failed += usize::from(attempt.problem().is_some());
            let status = attempt
                .status
                .map_or_else(|| "no answer".to_owned(), |status| status.to_string());
            let outcome = attempt.problem().unwrap_or("delivered");
            let Receiver { name, channel, .. } = receiver;
            say(&format!("{name} ({}): {status}: {outcome}", channel.as_str()));
        }
        if failed > 0 {
            return Err(StartError::failed(format!("{failed} did not take the message")));
        }
        Ok(())
    }
}

fn unknown(courier: &Courier, name: &str) -> StartError {
    let names: Vec<_> = courier
        .receivers
        .iter()
        .map(|receiver| receiver.name.as_str())
        .collect();
    StartError::failed(format!(
        "there is no receiver {name:?}; the settings name: {}",
        names.join(", ")
    ))
}
