//! What an operator watches: answers, sign-ins, tokens, hashing, and how far behind the outbox is.
//!
//! What is counted of security is counted from events, once each, where the relay has given it its number: what was
//! rolled back is not counted, and replicas sum up to the truth. What is measured of a replica is measured there.

mod counts;
mod state;

use shared::database;
use shared::http::metrics::Answers;
use shared::runtime::metrics::Metrics;

use crate::app::App;
pub(crate) use counts::EventCounts;
use state::State;

/// What the names of this service's metrics begin with.
pub(crate) const PREFIX: &str = "gatelog_auth";

/// The metrics that parts of the service count in.
#[derive(Clone, Debug)]
pub(crate) struct AuthMetrics {
    /// Answers by route.
    pub(crate) answers: Answers,
    /// Events by what they say.
    pub(crate) events: EventCounts,
}

impl AuthMetrics {
    pub(crate) fn register(metrics: &Metrics) -> Self {
        metrics.register(PREFIX, |registry| Self {
            answers: Answers::register(registry),
            events: EventCounts::register(registry),
        })
    }
}

/// Has the parts of `app` asked before each reading.
pub(crate) fn watch(app: &App) {
    let metrics = &app.process.metrics;
    database::metrics::watch(metrics, PREFIX, &app.database);
    let state = metrics.register(PREFIX, |registry| {
        app.hasher.register(registry);
        State::register(registry)
    });
    // Weak: the app holds the metrics, and must not be held by them.
    let app = app.downgrade();
    metrics.probe(move || {
        let (app, state) = (app.upgrade(), state.clone());
        async move {
            if let Some(app) = app {
                state.ask(&app).await;
            }
        }
    });
}
