//! Events to other systems as they come: by syslog (RFC 5424) and by signed webhooks.
//!
//! Each receiver has its own place in the log, which is moved once it has taken what was sent: it gets every event that it is to get at least
//! once, in the log's order, however long it was away. One collector at a time serves a receiver.

mod handler;
mod metrics;
mod receiver;
mod run;
mod settings;
mod store;
mod syslog;
mod tcp;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
pub(crate) use metrics::watch;
pub use receiver::{Receiver, SyslogTarget, WebhookTarget};
pub use run::{Forwarding, run};
pub(crate) use settings::{ALL as SETTINGS, read as read_receivers};

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::read_forwarding))
}
