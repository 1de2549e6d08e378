//! Who is told of alerts: by signed webhooks, by webhooks as Slack's, by mail.
//!
//! A message is a row, made in the transaction that raises or withdraws its alert, for each receiver that the alert concerns. One collector at
//! a time sends them, and tries again for a day: each arrives at least once, always with the same id.

mod attempt;
mod body;
mod command;
mod courier;
mod handler;
mod limit;
mod mail;
mod metrics;
mod notice;
mod receiver;
mod run;
mod settings;
mod slack;
mod store;

use std::sync::Arc;

use tokio::sync::Notify;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub use command::NotifyCommand;
pub use courier::Courier;
pub use metrics::NotificationMetrics;
pub(crate) use metrics::watch;
pub use receiver::{Channel, Only, Receiver, SignedTarget, unknown_to};
pub use run::Notifier;
pub use settings::{NOTIFICATIONS_FILE, load, read as read_receivers};
pub(crate) use store::{tell_found, tell_withdrawn};

/// What requests and the detection need to have messages sent.
#[derive(Clone, Debug)]
pub struct Notifying {
    /// Who carries them, and to whom.
    pub courier: Courier,
    /// Tells the one who sends messages that there is one.
    pub queued: Arc<Notify>,
}

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::list_notifications))
        .routes(routes!(handler::read_notification))
        .routes(routes!(handler::retry_notification))
        .routes(routes!(handler::test_notification))
}
