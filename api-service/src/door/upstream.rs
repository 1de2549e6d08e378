//! Tells when a server of an upstream is given requests no more, and when again.

use std::sync::Arc;

use shared::event::{Class, Facts, Outcome, action};

use crate::gate::Gate;
use crate::proxy::{Change, Reporter, Standing, UpstreamMetrics};

/// Logs every change, and writes its event at `gate`.
pub(crate) fn reporter(gate: Arc<Gate>, metrics: UpstreamMetrics) -> Reporter {
    Reporter {
        metrics,
        on_change: Arc::new(move |change: &Change<'_>| note(&gate, change)),
    }
}

fn note(gate: &Gate, change: &Change<'_>) {
    let (upstream, server) = (change.upstream, change.server);
    let (standing, outcome, reason) = match change.standing {
        Standing::Up => ("up", Outcome::Success, None),
        Standing::Aside => ("aside", Outcome::Failure, Some("upstream_failures")),
        Standing::Down => ("down", Outcome::Failure, Some("upstream_unhealthy")),
    };
    if outcome == Outcome::Success {
        tracing::info!(upstream, server, "a server of an upstream is up");
    } else {
        tracing::warn!(
            upstream,
            server,
            standing,
            "a server of an upstream gets no requests"
        );
    }
    let mut facts = Facts::new(Class::System, action::UPSTREAM_CHANGED, outcome)
        .with_detail("upstream", upstream)
        .with_detail("server", server)
        .with_detail("standing", standing);
    facts.reason = reason.map(str::to_owned);
    gate.tell(facts);
}
