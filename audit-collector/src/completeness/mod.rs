//! Proof that nothing is missing, or the name of what is: every source's numbers, followed along the log.
//!
//! What is kept of a source is changed by each event once and never made from rows again, so that retention takes nothing
//! from it.

mod answer;
mod chain;
mod command;
mod handler;
mod ledger;
pub mod metrics;
mod notice;
mod numbers;
mod run;
mod source;
mod store;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use answer::{Completeness, Finding, Kind, SourceCounts, Verdict};
pub use command::CompletenessCommand;
pub use run::{Counting, run};

use crate::app::AppState;
use crate::search::Period;

/// The routes of this capability.
pub(crate) fn routes() -> OpenApiRouter<AppState> {
    OpenApiRouter::default().routes(routes!(handler::read_completeness))
}

/// What is known of a period. Gaps that were noticed after `settled_before` may still be on their way.
pub async fn completeness(
    database: &Database,
    period: &Period,
    settled_before: UtcMicros,
) -> Result<Completeness, DatabaseError> {
    // Before the sources: what is counted meanwhile may be in the answer, but never less than the lag says.
    let lag = store::lag(database).await?;
    let kept = store::kept_of(database, period).await?;
    let standings = store::standings(database).await?;
    let is_heard = store::is_heard_before(database, period.to).await?;
    let evidence = answer::Evidence {
        kept: &kept,
        standings: &standings,
        is_heard,
        lag,
        settled_before,
    };
    Ok(Completeness::of(period, &evidence))
}
