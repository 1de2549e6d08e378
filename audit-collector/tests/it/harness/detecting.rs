//! A collector that runs rules, and what it is to find.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::detection::metrics::DetectionMetrics;
use audit_collector::detection::rule::RuleSet;
use audit_collector::detection::{DetectionSettings, Detector};
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::notification::{Courier, Notifying, Receiver};
use audit_collector::sequencing;
use shared::clock::{SharedClock, SystemClock};
use shared::event::{Class, ClientFacts, Event, Facts, Identity, Outcome, action, wire};
use shared::http::client::pooled_client;
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Consumer, Transport};
use tempfile::TempDir;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::database::TestDatabase;
use super::events::{arrival, at, event_of};
use super::eventually;

/// A collector that puts the log in order and runs the rules.
pub(crate) struct Collector {
    pub(crate) log: EventLog,
    told: Consumer,
    pub(crate) rules: watch::Sender<RuleSet>,
    /// Told when there may be an order.
    pub(crate) ordered: Arc<Notify>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
    metrics: Metrics,
    _spool: (TempDir, SpoolTasks),
}

pub(crate) fn built_in() -> RuleSet {
    DetectionSettings::load("http://gatelog.test", None, None)
        .unwrap()
        .rules
}

/// Those who are told of alerts, and what tells them.
pub(crate) fn notifying(receivers: Vec<Receiver>, clock: SharedClock) -> Notifying {
    Notifying {
        courier: Courier {
            receivers: receivers.into(),
            public_url: "http://gatelog.test".into(),
            client: pooled_client().unwrap(),
            clock,
        },
        queued: Arc::default(),
    }
}

impl Collector {
    pub(crate) async fn start(database: &TestDatabase, rules: RuleSet) -> Self {
        Self::start_by(database, rules, Arc::new(SystemClock)).await
    }

    /// The same by another clock.
    pub(crate) async fn start_by(database: &TestDatabase, rules: RuleSet, clock: SharedClock) -> Self {
        Self::with(database, rules, notifying(Vec::new(), clock)).await
    }

    /// One that makes messages to those who are told of alerts; it sends none.
    pub(crate) async fn with(database: &TestDatabase, rules: RuleSet, notifying: Notifying) -> Self {
        Self::on(database.log().await, rules, notifying)
    }

    /// The same on a log of the test's own.
    pub(crate) fn on(log: EventLog, rules: RuleSet, notifying: Notifying) -> Self {
        let (transport, folder) = (Transport::InProcess(Bus::new()), TempDir::new().unwrap());
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let (spool, spool_tasks) = spool::open(&settings, &transport, Arc::new(SystemClock)).unwrap();
        let (rules, in_force) = watch::channel(rules);
        let metrics = Metrics::new();
        let ordered: Arc<Notify> = Arc::default();
        let detector = Detector {
            ordered: Arc::clone(&ordered),
            log: log.clone(),
            rules: in_force,
            clock: notifying.courier.clock.clone(),
            notifying,
            spool,
            metrics: metrics.register("test", DetectionMetrics::register),
        };
        let stop = CancellationToken::new();
        Self {
            tasks: [
                tokio::spawn(sequencing::run(log.clone(), stop.clone())),
                tokio::spawn(detector.run(stop.clone())),
            ],
            told: transport.consumer(1_000),
            log,
            rules,
            ordered,
            stop,
            metrics,
            _spool: (folder, spool_tasks),
        }
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    /// Waits until it runs the rules.
    pub(crate) async fn until_leading(&self) {
        eventually("the collector leads", || async {
            let metrics = self.metrics.read().await.unwrap();
            metrics.contains("test_detection_leading 1").then_some(())
        })
        .await;
    }

    /// The next alert that was told.
    pub(crate) async fn next_told(&mut self) -> Event {
        // Events of the collector's own come between, such as heartbeats.
        let telling = async {
            loop {
                let delivery = self.told.receive(1, Duration::ZERO).await.unwrap().remove(0);
                let event = wire::decode(&delivery.body).unwrap();
                self.told.acknowledge(vec![delivery.receipt]).await.unwrap();
                if event.facts.class == Class::Alert {
                    return event;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(30), telling).await;
        told.expect("no alert was told")
    }
}

/// A failed sign-in of `user`.
pub(crate) fn failure(second: i64, user: &str, ip: &str) -> Arrival {
    let mut facts =
        Facts::new(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure).because("bad_credentials");
    facts.actor.identity = Identity::Claimed;
    facts.actor.username = Some(user.into());
    facts.client = Some(ClientFacts {
        ip: Some(ip.into()),
        ..ClientFacts::default()
    });
    arrival(event_of("auth-service", at(second), facts))
}

/// A sign-in of `alice` from there.
pub(crate) fn sign_in(second: i64, ip: &str) -> Arrival {
    sign_in_of("alice", second, ip)
}

/// A sign-in of `user` from there.
pub(crate) fn sign_in_of(user: &str, second: i64, ip: &str) -> Arrival {
    let mut facts = Facts::new(Class::Auth, action::AUTHN_LOGIN_SUCCESS, Outcome::Success);
    facts.actor.identity = Identity::Verified;
    facts.actor.sub = Some(format!("usr_{user}"));
    facts.actor.username = Some(user.into());
    facts.client = Some(ClientFacts {
        ip: Some(ip.into()),
        ..ClientFacts::default()
    });
    arrival(event_of("auth-service", at(second), facts))
}

/// Waits until the rules have seen so many events.
pub(crate) async fn until_read(database: &TestDatabase, events: i64) {
    eventually("the rules have seen every event", || async {
        let read = database.number("SELECT position FROM detection_state").await;
        // What came late is judged again soon after.
        let again = database.number("SELECT COUNT(*) FROM detection_again").await;
        (read == events && again == 0).then_some(())
    })
    .await;
}
