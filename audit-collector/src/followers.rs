//! The tasks that follow the log. Every collector runs them; of each, one at a time leads.

use std::sync::Arc;

use shared::http::client::{pooled_client, tls_config};
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::Spool;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::completeness::Counting;
use crate::detection::metrics::DetectionMetrics;
use crate::detection::rule::RuleSet;
use crate::detection::{self, Detector};
use crate::event_log::EventLog;
use crate::forwarding::{self, Forwarding};
use crate::notification::{Courier, NotificationMetrics, Notifier, Notifying};
use crate::response::{self, Responding, ResponseMetrics};
use crate::retention::{self, Retention, RetentionMetrics};
use crate::settings::Settings;
use crate::{METRICS_PREFIX, completeness, rollup};

/// What they work with.
#[derive(Clone, Copy)]
pub(crate) struct Parts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) log: &'a EventLog,
    pub(crate) spool: &'a Spool,
}

impl<'a> Parts<'a> {
    pub(crate) const fn new(settings: &'a Settings, log: &'a EventLog, spool: &'a Spool) -> Self {
        Self { settings, log, spool }
    }
}

/// What requests need of them.
pub(crate) struct Offered {
    pub(crate) rules: watch::Receiver<RuleSet>,
    pub(crate) responding: Option<Responding>,
    pub(crate) notifying: Notifying,
}

/// The tasks at work.
#[derive(Default)]
pub(crate) struct Followers {
    tasks: JoinSet<()>,
    stop: CancellationToken,
}

impl Followers {
    pub(crate) fn start(parts: Parts<'_>, helpers: &mut JoinSet<()>) -> Result<(Self, Offered), StartError> {
        let mut followers = Self::default();
        followers.count(parts);
        followers.retain(parts);
        followers.forward(parts)?;
        let notifying = followers.notify(parts)?;
        let responding = followers.respond(parts)?;
        let ordered = responding
            .as_ref()
            .map_or_else(Arc::default, |responding| Arc::clone(&responding.ordered));
        let offered = Offered {
            rules: followers.detect(parts, (&notifying, ordered), helpers),
            responding,
            notifying,
        };
        Ok((followers, offered))
    }

    /// Waits until one ends by itself.
    pub(crate) async fn ended(&mut self) {
        self.tasks.join_next().await;
    }

    /// Ends them, each after the step it is at.
    pub(crate) async fn stop(mut self) {
        self.stop.cancel();
        while self.tasks.join_next().await.is_some() {}
    }

    /// Completeness and the counts of statistics.
    fn count(&mut self, Parts { settings, log, spool }: Parts<'_>) {
        let counting = Counting {
            transport: settings.transport.clone(),
            spool: spool.clone(),
            clock: settings.clock.clone(),
            gap_after: settings.gap_after,
        };
        self.tasks
            .spawn(completeness::run(log.clone(), counting, self.stop.clone()));
        self.tasks.spawn(rollup::run(log.clone(), self.stop.clone()));
    }

    fn retain(&mut self, Parts { settings, log, spool }: Parts<'_>) {
        let retention = Retention {
            database: log.database().clone(),
            periods: settings.retention.clone(),
            spool: spool.clone(),
            clock: settings.clock.clone(),
        };
        let metrics = &settings.process.metrics;
        let metrics = metrics.register(METRICS_PREFIX, RetentionMetrics::register);
        self.tasks
            .spawn(retention::run(retention, metrics, self.stop.clone()));
    }

    /// Tells the receivers of the settings what comes.
    fn forward(&mut self, Parts { settings, log, spool }: Parts<'_>) -> Result<(), StartError> {
        let forwarding = Forwarding {
            log: log.clone(),
            spool: spool.clone(),
            clock: settings.clock.clone(),
            client: pooled_client().map_err(StartError::failed)?,
            tls: Arc::new(tls_config().map_err(StartError::failed)?),
        };
        for receiver in settings.receivers.clone() {
            self.tasks
                .spawn(forwarding::run(forwarding.clone(), receiver, self.stop.clone()));
        }
        Ok(())
    }

    /// Has messages about alerts sent, where the settings name somebody.
    fn notify(&mut self, Parts { settings, log, spool }: Parts<'_>) -> Result<Notifying, StartError> {
        let notifying = Notifying {
            courier: Courier {
                receivers: settings.notified.clone().into(),
                public_url: settings.issuer.as_str().into(),
                client: pooled_client().map_err(StartError::failed)?,
                clock: settings.clock.clone(),
            },
            queued: Arc::default(),
        };
        let metrics = &settings.process.metrics;
        let notifier = Notifier {
            log: log.clone(),
            courier: notifying.courier.clone(),
            queued: Arc::clone(&notifying.queued),
            spool: spool.clone(),
            clock: settings.clock.clone(),
            metrics: metrics.register(METRICS_PREFIX, NotificationMetrics::register),
        };
        self.tasks.spawn(notifier.run(self.stop.clone()));
        Ok(notifying)
    }

    /// The detector with the rules in force, which are kept up to date.
    fn detect(
        &mut self,
        Parts { settings, log, spool }: Parts<'_>,
        (notifying, ordered): (&Notifying, Arc<Notify>),
        helpers: &mut JoinSet<()>,
    ) -> watch::Receiver<RuleSet> {
        let detection = &settings.detection;
        let (rules, in_force) = watch::channel(detection.rules.clone());
        helpers.spawn(detection::reload::follow(detection.source.clone(), rules));
        let metrics = &settings.process.metrics;
        let detector = Detector {
            log: log.clone(),
            rules: in_force.clone(),
            notifying: notifying.clone(),
            ordered,
            spool: spool.clone(),
            clock: settings.clock.clone(),
            metrics: metrics.register(METRICS_PREFIX, DetectionMetrics::register),
        };
        self.tasks.spawn(detector.run(self.stop.clone()));
        in_force
    }

    /// Has responses carried out, where somebody has been named who may order them.
    fn respond(
        &mut self,
        Parts { settings, log, spool }: Parts<'_>,
    ) -> Result<Option<Responding>, StartError> {
        let proxies = &settings.process.trusted_proxies;
        let parts = (log, spool, &settings.clock);
        let metrics = &settings.process.metrics;
        let metrics = metrics.register(METRICS_PREFIX, ResponseMetrics::register);
        let made = response::responder(&settings.responses, &settings.auth_url, proxies, parts, metrics)?;
        Ok(made.map(|(responder, responding)| {
            self.tasks.spawn(responder.run(self.stop.clone()));
            responding
        }))
    }
}
