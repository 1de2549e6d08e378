//! Carries messages to receivers, each on its way.

use std::sync::Arc;

use shared::clock::SharedClock;
use shared::http::client::PooledClient;

use super::attempt::Attempt;
use super::notice::Notice;
use super::receiver::{Channel, Receiver, SignedTarget};
use super::slack;
use crate::webhook;

/// What carries messages. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Courier {
    /// Who is told, by name.
    pub receivers: Arc<[Receiver]>,
    /// Where people reach the door, for links to the console.
    pub public_url: Arc<str>,
    /// What webhooks are sent with.
    pub client: PooledClient,
    /// The clock.
    pub clock: SharedClock,
}

impl Courier {
    /// The receiver of that name.
    pub(super) fn find(&self, name: &str) -> Option<&Receiver> {
        self.receivers.iter().find(|receiver| receiver.name == name)
    }

    /// Tries to send a message.
    pub(super) async fn carry(&self, receiver: &Receiver, notice: &Notice) -> Attempt {
        match &receiver.channel {
            Channel::Webhook(target) => {
                let SignedTarget { address, secret } = &**target;
                let head = (notice.id.to_string(), self.clock.now());
                let body = notice.json().to_string().into_bytes();
                let sent = webhook::send(&self.client, address, secret, (&head.0, head.1), body).await;
                Attempt::of_webhook(sent)
            }
            Channel::Slack(address) => {
                let body = slack::body(notice).to_string().into_bytes();
                Attempt::of_webhook(webhook::send_unsigned(&self.client, address, body).await)
            }
            Channel::Mail(target) => Attempt::of_mail(target.send(notice).await),
        }
    }
}
