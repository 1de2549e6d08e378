//! What is done about alerts: sessions and tokens revoked, accounts locked, addresses and subjects kept out; ordered by rules and
//! by people, carried out by auth-service, and watched until a door refuses.

mod auth;
mod elsewhere;
mod handler;
mod kept;
mod meant;
mod metrics;
mod order;
mod run;
mod settings;
mod store;
mod watch;

use std::sync::Arc;

use shared::clock::SharedClock;
use shared::http::client::{PooledClient, pooled_client};
use shared::runtime::cli::StartError;
use shared::spool::Spool;
use tokio::sync::Notify;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::AppState;
use crate::event_log::EventLog;
pub use auth::Credentials;
pub(crate) use elsewhere::Ended;
pub(crate) use kept::{Kept, ResponseBody};
pub use metrics::ResponseMetrics;
pub use order::{Action, Order, Spare, Spared};
pub use run::Responder;
pub use settings::ResponseSettings;
pub(crate) use store::{end_elsewhere, of_alert, order_by_rule};

/// What requests need to give orders.
#[derive(Clone, Debug)]
pub struct Responding {
    /// Whom no order may touch.
    pub spared: Arc<Spared>,
    /// Tells the one who carries orders out that there is one.
    pub ordered: Arc<Notify>,
}

/// What carries orders out, and what requests need to give them; `None` where nobody may.
pub fn responder(
    settings: &ResponseSettings,
    auth_url: &str,
    proxies: &[ipnet::IpNet],
    (log, spool, clock): (&EventLog, &Spool, &SharedClock),
    metrics: ResponseMetrics,
) -> Result<Option<(Responder, Responding)>, StartError> {
    let Some(credentials) = settings.credentials.clone() else {
        return Ok(None);
    };
    let client: PooledClient = pooled_client().map_err(StartError::failed)?;
    let responding = Responding {
        spared: Arc::new(Spared::new(settings.spared.iter().cloned(), proxies)),
        ordered: Arc::new(Notify::new()),
    };
    let responder = Responder {
        log: log.clone(),
        auth: auth::Auth::new(client, auth_url, credentials),
        spared: Arc::clone(&responding.spared),
        rules_max: settings.rules_max,
        ordered: Arc::clone(&responding.ordered),
        spool: spool.clone(),
        clock: clock.clone(),
        metrics,
    };
    Ok(Some((responder, responding)))
}

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default()
        .routes(routes!(handler::order_response))
        .routes(routes!(handler::undo_response))
}
