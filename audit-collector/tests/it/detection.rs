//! Detection on the stored log: the same alerts whoever finds them, each told once.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use audit_collector::detection::engine::Fingerprint;
use audit_collector::detection::metrics::DetectionMetrics;
use audit_collector::detection::past::{Span, replay};
use audit_collector::detection::rule::{RuleSet, RuleSource};
use audit_collector::detection::{DetectionSettings, Detector, standing};
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::sequencing;
use shared::clock::{SystemClock, UtcMicros};
use shared::event::{Class, ClientFacts, Event, Facts, Identity, Outcome, action, wire};
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Consumer, Transport};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::events::{arrival, at, event_of};
use crate::harness::eventually;

on_both_databases!(
    collectors_find_the_same_alerts_however_many_they_are,
    an_alert_is_told_once_and_read_with_its_rule,
    a_successor_goes_on_where_the_leader_stopped,
    what_comes_long_after_is_judged_as_if_it_had_not,
    what_is_silenced_or_only_tried_is_kept_and_told_to_nobody,
);

/// A collector that puts the log in order and runs the rules.
struct Collector {
    log: EventLog,
    told: Consumer,
    rules: watch::Sender<RuleSet>,
    stop: CancellationToken,
    tasks: [JoinHandle<()>; 2],
    _spool: (TempDir, SpoolTasks),
}

fn built_in() -> RuleSet {
    DetectionSettings::load("http://gatelog.test", None, None)
        .unwrap()
        .rules
}

impl Collector {
    async fn start(database: &TestDatabase, rules: RuleSet) -> Self {
        let log = database.log().await;
        let (transport, folder) = (Transport::InProcess(Bus::new()), TempDir::new().unwrap());
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let (spool, spool_tasks) = spool::open(&settings, &transport, Arc::new(SystemClock)).unwrap();
        let (rules, in_force) = watch::channel(rules);
        let detector = Detector {
            log: log.clone(),
            rules: in_force,
            places: None,
            spool,
            clock: Arc::new(SystemClock),
            metrics: Metrics::new().register("test", DetectionMetrics::register),
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
            stop,
            _spool: (folder, spool_tasks),
        }
    }

    async fn stop(self) {
        self.stop.cancel();
        for task in self.tasks {
            task.await.unwrap();
        }
    }

    /// The next alert that was told.
    async fn next_told(&mut self) -> Event {
        loop {
            let receiving = self.told.receive(1, Duration::ZERO);
            let received = tokio::time::timeout(Duration::from_secs(30), receiving).await;
            let delivery = received.expect("no alert was told").unwrap().remove(0);
            let event = wire::decode(&delivery.body).unwrap();
            self.told.acknowledge(vec![delivery.receipt]).await.unwrap();
            if event.facts.class == Class::Alert {
                return event;
            }
        }
    }
}

/// A failed sign-in of `user`.
fn failure(second: i64, user: &str, ip: &str) -> Arrival {
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

/// Attacks on twelve users among the mistakes of others, in the order of time.
fn attacks() -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    for second in 0..1_200 {
        if second % 7 == 0 {
            arrivals.push(failure(second, &format!("honest{}", second % 50), "192.0.2.1"));
        }
        if second % 2 == 0 {
            let user = (second / 100) % 12;
            arrivals.push(failure(
                second,
                &format!("victim{user}"),
                &format!("198.51.100.{user}"),
            ));
        }
    }
    arrivals
}

async fn until_read(database: &TestDatabase, events: i64) {
    eventually("the rules have seen every event", || async {
        let read = database.number("SELECT position FROM detection_state").await;
        // What came late is judged again soon after.
        let again = database.number("SELECT COUNT(*) FROM detection_again").await;
        (read == events && again == 0).then_some(())
    })
    .await;
}

async fn found(log: &EventLog) -> BTreeSet<Fingerprint> {
    standing(log.database()).await.unwrap().into_iter().collect()
}

async fn replayed(log: &EventLog) -> BTreeSet<Fingerprint> {
    let span = Span {
        from: at(-3_600),
        until: at(86_400),
    };
    let ledger = replay(log.database(), &built_in(), span, at(86_400), None)
        .await
        .unwrap();
    ledger.into_keys().collect()
}

/// Stores events through as many collectors, in small batches at the same time, and returns the alerts of all.
async fn found_by(database: &TestDatabase, count: usize) -> BTreeSet<Fingerprint> {
    let mut collectors = Vec::new();
    for _ in 0..count {
        collectors.push(Collector::start(database, built_in()).await);
    }
    let events = attacks();
    let storing = collectors.iter().enumerate().map(|(index, collector)| {
        let own: Vec<Arrival> = events.iter().skip(index).step_by(count).cloned().collect();
        let log = collector.log.clone();
        tokio::spawn(async move {
            for batch in own.chunks(10 + index) {
                let newest = batch.iter().map(|arrival| arrival.event.time).max().unwrap();
                log.append(batch, &[], newest).await.unwrap();
            }
        })
    });
    for stored in storing.collect::<Vec<_>>() {
        stored.await.unwrap();
    }
    until_read(database, i64::try_from(events.len()).unwrap()).await;
    let log = collectors[0].log.clone();
    let alerts = found(&log).await;
    assert_eq!(alerts, replayed(&log).await, "live and replayed by {count}");
    for collector in collectors {
        collector.stop().await;
    }
    alerts
}

async fn collectors_find_the_same_alerts_however_many_they_are(database: &TestDatabase) {
    let by_one = found_by(database, 1).await;

    // Twelve accounts are tried in one hour.
    assert!(by_one.len() >= 12, "{}", by_one.len());
    for count in [2, 4, 8] {
        let other = if database.is_server() {
            TestDatabase::postgres().await.unwrap()
        } else {
            TestDatabase::sqlite()
        };
        assert_eq!(found_by(&other, count).await, by_one, "by {count} collectors");
        if other.is_server() {
            other.remove().await;
        }
    }
}

async fn an_alert_is_told_once_and_read_with_its_rule(database: &TestDatabase) {
    let mut collector = Collector::start(database, built_in()).await;
    let batch: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();

    collector.log.append(&batch, &[], at(10)).await.unwrap();

    let told = collector.next_told().await.facts;
    assert_eq!(told.reason.as_deref(), Some("brute-force-account"));
    assert_eq!(told.detail["group"]["actor.username"], "alice");
    // More of the same is the same alert.
    let more: Vec<_> = (10..20)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&more, &[], at(20)).await.unwrap();
    until_read(database, 20).await;
    let api = TestApi::on(collector.log.clone());
    let listed = api.get("/v1/alerts?rule=brute-force-account").await.body;
    let [alert] = listed["alerts"].as_array().unwrap().as_slice() else {
        panic!("{listed}");
    };
    assert_eq!(alert["value"], 20.0);
    assert_eq!(alert["status"], "open");
    assert_eq!(alert["evidence"].as_array().unwrap().len(), 10);
    let fingerprint = alert["fingerprint"].as_str().unwrap();
    assert_eq!(api.get(&format!("/v1/alerts/{fingerprint}")).await.body, *alert);
    let rule = api.get("/v1/rules/brute-force-account").await.body;
    assert_eq!(rule["firings"]["alerts"], 1);
    assert!(rule["source"].as_str().unwrap().contains("event_count"));
    let untold = database.number("SELECT COUNT(*) FROM alert WHERE NOT told").await;
    assert_eq!(untold, 0);
    for (path, status, code) in [
        (
            "/v1/alerts/00000000000000000000000000000000",
            404,
            "alert_not_found",
        ),
        ("/v1/alerts/x", 400, "parameter_invalid"),
        ("/v1/alerts?state=open", 400, "parameter_invalid"),
        ("/v1/rules/none", 404, "rule_not_found"),
    ] {
        let answer = api.get(path).await;
        assert_eq!(
            (answer.status.as_u16(), &answer.body["code"]),
            (status, &code.into()),
            "{path}"
        );
    }
    collector.stop().await;
}

async fn a_successor_goes_on_where_the_leader_stopped(database: &TestDatabase) {
    let events: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    let (before, after) = events.split_at(6);
    let first = Collector::start(database, built_in()).await;
    first.log.append(before, &[], at(6)).await.unwrap();
    until_read(database, 6).await;
    first.stop().await;

    let second = Collector::start(database, built_in()).await;
    second.log.append(after, &[], at(10)).await.unwrap();
    until_read(database, 10).await;

    // What the first had read is counted by the second, which has read it back.
    let log = second.log.clone();
    assert_eq!(found(&log).await.len(), 1);
    second.stop().await;
}

async fn what_comes_long_after_is_judged_as_if_it_had_not(database: &TestDatabase) {
    let events: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    let (late, early) = events.split_at(5);
    let collector = Collector::start(database, built_in()).await;
    collector.log.append(early, &[], at(10)).await.unwrap();
    // An hour passes, which the engine has no reason to remember.
    let later = failure(3_600, "bob", "192.0.2.1");
    collector.log.append(&[later], &[], at(3_600)).await.unwrap();
    until_read(database, 6).await;
    assert!(found(&collector.log).await.is_empty());

    collector.log.append(late, &[], at(3_601)).await.unwrap();

    eventually("the late events were judged", || async {
        (found(&collector.log).await.len() == 1).then_some(())
    })
    .await;
    collector.stop().await;
}

async fn what_is_silenced_or_only_tried_is_kept_and_told_to_nobody(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file(
        "suppressions.yaml",
        "- {value: alice, reason: she is testing, until: 2099-01-01T00:00:00Z}\n",
    );
    let brute_force = built_in().find("brute-force-account").unwrap().source.clone();
    let tried = brute_force.replace("id: brute-force-account", "id: tried");
    file(
        "tried.yaml",
        &tried.replace("severity: medium", "severity: medium\nstatus: shadow"),
    );
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: "http://gatelog.test".into(),
    };
    let mut collector = Collector::start(database, source.load().unwrap()).await;

    for user in ["alice", "bob"] {
        let batch: Vec<_> = (0..10).map(|second| failure(second, user, "192.0.2.1")).collect();
        collector.log.append(&batch, &[], at(10)).await.unwrap();
    }

    let told = collector.next_told().await.facts.detail;
    assert_eq!(told["group"]["actor.username"], "bob");
    assert_eq!(told["rule"], "brute-force-account");
    until_read(database, 20).await;
    let api = TestApi::on(collector.log.clone());
    let list = api.get("/v1/alerts").await.body;
    let listed = list["alerts"].as_array().unwrap().iter();
    assert_eq!(
        listed
            .filter(|alert| alert["rule"] == "brute-force-account")
            .count(),
        1
    );
    let all = api.get("/v1/alerts?all=true").await.body;
    let reasons: Vec<_> = all["alerts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|alert| alert["suppressed"].as_str())
        .collect();
    assert!(reasons.contains(&"she is testing"), "{all}");
    // Other rules take over without a restart.
    collector.rules.send_replace(RuleSet::default());
    collector
        .log
        .append(
            &[failure(11, "carol", "192.0.2.1")],
            &[],
            UtcMicros::from_seconds(1),
        )
        .await
        .unwrap();
    until_read(database, 21).await;
    collector.stop().await;
}
