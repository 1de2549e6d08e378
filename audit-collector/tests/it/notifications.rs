//! Who is told of alerts, by webhooks: once, again until it arrives, and no longer than it makes sense.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_collector::notification::{NotificationMetrics, Notifier, NotifyCommand, Receiver, load};
use audit_collector::webhook::Secret;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use serde_json::{Value, json};
use shared::clock::{ManualClock, UtcMicros};
use shared::event::{Class, Facts, Outcome, TokenFacts, action};
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Transport};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::harness::api::TestApi;
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, failure, notifying, until_read};
use crate::harness::events::{NOW, arrival, at, event, event_of, request_facts};
use crate::harness::eventually;

on_both_databases!(
    an_alert_is_told_once_however_it_grows,
    what_does_not_arrive_is_sent_again_under_the_same_id,
    what_a_receiver_will_not_take_ends_and_is_tried_when_somebody_asks,
    a_message_that_was_sent_but_not_noted_is_sent_again_with_its_id,
    a_receiver_that_hangs_keeps_nobody_else_waiting,
    of_two_collectors_one_sends,
    a_withdrawal_is_told_to_those_who_know_the_alert,
    a_test_says_what_the_receiver_answered,
    what_is_more_than_a_receiver_gets_in_an_hour_is_held_back_and_told_once,
);

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a receiver was sent: the id and the body.
type Message = (String, Value);

/// A receiver of webhooks that answers as a test says, and 204 in the end.
#[derive(Clone, Default)]
struct Hook {
    received: Arc<Mutex<Vec<Message>>>,
    answers: Arc<Mutex<VecDeque<u16>>>,
    /// Whether requests are kept waiting for an answer.
    hangs: bool,
}

impl Hook {
    async fn start(answers: &[u16], hangs: bool) -> (Self, String) {
        let hook = Self {
            hangs,
            ..Self::default()
        };
        hook.answers.lock().unwrap().extend(answers);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook/t0ken", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/hook/t0ken", post(receive))
            .with_state(hook.clone());
        tokio::spawn(async { axum::serve(listener, app).await });
        (hook, url)
    }

    fn received(&self) -> Vec<Message> {
        self.received.lock().unwrap().clone()
    }

    async fn until_received(&self, count: usize) -> Vec<Message> {
        eventually("the messages arrive", || async {
            (self.received().len() >= count).then(|| self.received())
        })
        .await
    }
}

/// Keeps a message; one with a wrong signature is refused. Those of Slack have none.
async fn receive(State(hook): State<Hook>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap());
    if let (Some(id), Some(time)) = (header("webhook-id"), header("webhook-timestamp")) {
        let secret: Secret = SECRET.parse().unwrap();
        let expected = secret.signature(id, UtcMicros::from_seconds(time.parse().unwrap()), &body);
        if header("webhook-signature") != Some(expected.as_str()) {
            return StatusCode::UNAUTHORIZED;
        }
    }
    let id = header("webhook-id").unwrap_or_default().to_owned();
    let body = serde_json::from_slice(&body).unwrap();
    hook.received.lock().unwrap().push((id, body));
    if hook.hangs {
        std::future::pending::<()>().await;
    }
    let answer = hook.answers.lock().unwrap().pop_front().unwrap_or(204);
    StatusCode::from_u16(answer).unwrap()
}

/// The receivers of a file, in which `DIR` stands for a folder with the secret and, as `url`, this address.
pub(crate) fn receivers(url: &str, text: &str) -> Vec<Receiver> {
    let folder = TempDir::new().unwrap();
    receivers_in(folder.path(), url, text)
}

pub(crate) fn receivers_in(folder: &Path, url: &str, text: &str) -> Vec<Receiver> {
    std::fs::write(folder.join("url"), url).unwrap();
    std::fs::write(folder.join("secret"), SECRET).unwrap();
    let path = folder.join("notifications.toml");
    std::fs::write(&path, text.replace("DIR", folder.to_str().unwrap())).unwrap();
    load(&path).unwrap()
}

fn webhook(url: &str) -> Vec<Receiver> {
    receivers(
        url,
        "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\n",
    )
}

/// One that sends messages, until it is told to stop.
pub(crate) struct Sender {
    pub(crate) clock: Arc<ManualClock>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    _spool: (TempDir, SpoolTasks),
}

impl Sender {
    pub(crate) async fn start(database: &TestDatabase, receivers: Vec<Receiver>) -> Self {
        let clock = Arc::new(ManualClock::at(at(60)));
        let folder = TempDir::new().unwrap();
        let settings = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let (spool, tasks) =
            spool::open(&settings, &Transport::InProcess(Bus::new()), clock.clone()).unwrap();
        let notifier = Notifier {
            log: database.log().await,
            courier: notifying(receivers, clock.clone()).courier,
            queued: Arc::new(Notify::new()),
            spool,
            clock: clock.clone(),
            metrics: Metrics::new().register("test", NotificationMetrics::register),
        };
        let stop = CancellationToken::new();
        let task = tokio::spawn(notifier.run(stop.clone()));
        Self {
            clock,
            stop,
            task,
            _spool: (folder, tasks),
        }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// Ends at once, as a process that is killed.
    async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

/// A collector that has found an attack on `alice`.
pub(crate) async fn attacked(database: &TestDatabase, receivers: Vec<Receiver>) -> Collector {
    let notifying = notifying(receivers, Arc::new(ManualClock::at(at(30))));
    let collector = Collector::with(database, built_in(), notifying).await;
    let batch: Vec<_> = (0..10)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&batch, &[], at(10)).await.unwrap();
    until_read(database, 10).await;
    collector
}

/// The messages as the API shows them, once they are so.
pub(crate) async fn until_shown(api: &TestApi, query: &str, is: impl Fn(&Value) -> bool) -> Value {
    eventually("the messages are so", || async {
        let answer = api.get(&format!("/v1/notifications{query}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        is(&answer.body["notifications"]).then_some(answer.body["notifications"].clone())
    })
    .await
}

async fn an_alert_is_told_once_however_it_grows(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[], false).await;
    let told = "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\n\
        [slack.desk]\nurl_file = 'DIR/url'\nonly = { rules = ['brute-force-account'] }\n\
        [slack.others]\nurl_file = 'DIR/url'\nonly = { severity = 'critical' }\n";
    let collector = attacked(database, receivers(&url, told)).await;
    let more: Vec<_> = (10..20)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&more, &[], at(20)).await.unwrap();
    until_read(database, 20).await;

    let sender = Sender::start(database, receivers(&url, told)).await;

    let api = TestApi::on(collector.log.clone());
    let shown = until_shown(&api, "", |shown| {
        let states = shown.as_array().unwrap().iter().map(|one| &one["state"]);
        states.filter(|state| **state == "delivered").count() == 2
    })
    .await;
    assert_eq!(shown.as_array().unwrap().len(), 2, "{shown}");
    let messages = hook.received();
    let (id, signed) = messages.iter().find(|(id, _)| !id.is_empty()).unwrap();
    assert_eq!(signed["type"], "gatelog.alert.raised");
    assert_eq!(signed["data"]["alert"]["group"]["actor.username"], "alice");
    let fingerprint = signed["data"]["alert"]["fingerprint"].as_str().unwrap();
    let link = format!("http://gatelog.test/console/#/alerts/{fingerprint}");
    assert_eq!(signed["data"]["url"], link.as_str());
    let (_, slack) = messages.iter().find(|(id, _)| id.is_empty()).unwrap();
    let text = slack["text"].as_str().unwrap();
    assert!(
        text.contains("actor.username: `alice`") && text.contains(&link),
        "{text}"
    );

    let of_one = format!("?alert={fingerprint}&receiver=siem&state=delivered");
    let shown = until_shown(&api, &of_one, |_| true).await;
    assert_eq!(shown[0]["id"], id.as_str());
    let read = api.get(&format!("/v1/notifications/{id}")).await.body;
    assert_eq!(
        (&read["log"][0]["number"], &read["log"][0]["status"]),
        (&json!(1), &json!(204))
    );
    assert!(!read.to_string().contains("t0ken"), "{read}");
    let page = api.get("/v1/notifications?limit=1").await.body;
    let rest = format!(
        "/v1/notifications?limit=1&cursor={}",
        page["next_cursor"].as_str().unwrap()
    );
    let rest = api.get(&rest).await.body;
    assert_ne!(page["notifications"][0]["id"], rest["notifications"][0]["id"]);
    assert_eq!(rest["next_cursor"], Value::Null);
    sender.end().await;
    collector.stop().await;
}

async fn what_does_not_arrive_is_sent_again_under_the_same_id(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[503, 429], false).await;
    let collector = attacked(database, webhook(&url)).await;
    let sender = Sender::start(database, webhook(&url)).await;
    let api = TestApi::on(collector.log.clone());

    for (tries, state) in [(1, "pending"), (2, "pending"), (3, "delivered")] {
        until_shown(&api, "", |shown| {
            shown[0]["attempts"] == tries && shown[0]["state"] == state
        })
        .await;
        assert_eq!(hook.received().len(), usize::try_from(tries).unwrap(), "it waits");
        sender.clock.advance(Duration::from_secs(20));
    }

    let ids: Vec<_> = hook.received().into_iter().map(|(id, _)| id).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let read = api.get(&format!("/v1/notifications/{}", ids[0])).await.body;
    let statuses: Vec<_> = read["log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["status"])
        .collect();
    assert_eq!(statuses, [503, 429, 204]);
    assert!(
        read["log"][0]["problem"].as_str().unwrap().contains("503"),
        "{read}"
    );
    sender.end().await;
    collector.stop().await;
}

async fn what_a_receiver_will_not_take_ends_and_is_tried_when_somebody_asks(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[410], false).await;
    let collector = attacked(database, webhook(&url)).await;
    let sender = Sender::start(database, webhook(&url)).await;
    let mut api = TestApi::on(collector.log.clone());

    let shown = until_shown(&api, "?state=failed", |shown| shown[0].is_object()).await;
    assert_eq!(
        (&shown[0]["status"], &shown[0]["attempts"]),
        (&json!(410), &json!(1))
    );
    let path = format!("/v1/notifications/{}/retry", shown[0]["id"].as_str().unwrap());
    let reader = api.act(("POST", &path), "audit:read", None, &json!({})).await;
    assert_eq!(reader.status, StatusCode::FORBIDDEN);

    let asked = api.act(("POST", &path), "audit:respond", None, &json!({})).await;

    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    until_shown(&api, "?state=delivered", |shown| shown[0].is_object()).await;
    assert_eq!(hook.received().len(), 2);
    let told = api
        .recorded_event(|event| event.facts.action == action::NOTIFICATION_RETRIED)
        .await;
    assert_eq!(told.facts.detail["receiver"], "siem");
    let again = api.act(("POST", &path), "audit:respond", None, &json!({})).await;
    assert_eq!(again.body["code"], "notification_not_failed");
    let nobody = "/v1/notifications/01890000-0000-7000-8000-000000000000";
    assert_eq!(api.get(nobody).await.body["code"], "notification_not_found");
    sender.end().await;
    collector.stop().await;
}

async fn a_message_that_was_sent_but_not_noted_is_sent_again_with_its_id(database: &TestDatabase) {
    let (hanging, url) = Hook::start(&[], true).await;
    let collector = attacked(database, webhook(&url)).await;
    let sender = Sender::start(database, webhook(&url)).await;
    let sent = hanging.until_received(1).await;
    sender.kill().await;

    let (hook, url) = Hook::start(&[], false).await;
    let sender = Sender::start(database, webhook(&url)).await;

    let again = hook.until_received(1).await;
    assert_eq!(again[0], sent[0]);
    sender.end().await;
    collector.stop().await;
}

async fn a_receiver_that_hangs_keeps_nobody_else_waiting(database: &TestDatabase) {
    let (hanging, slow_url) = Hook::start(&[], true).await;
    let (hook, url) = Hook::start(&[], false).await;
    let (slow, quick) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let both = || {
        let mut both = receivers_in(slow.path(), &slow_url, "[slack.a-slow]\nurl_file = 'DIR/url'\n");
        both.extend(receivers_in(
            quick.path(),
            &url,
            "[slack.quick]\nurl_file = 'DIR/url'\n",
        ));
        both
    };
    let collector = attacked(database, both()).await;
    let sender = Sender::start(database, both()).await;
    let api = TestApi::on(collector.log.clone());

    hanging.until_received(1).await;
    hook.until_received(1).await;
    until_shown(&api, "?receiver=quick&state=delivered", |shown| {
        shown[0].is_object()
    })
    .await;
    let slow = until_shown(&api, "?receiver=a-slow", |shown| shown[0]["attempts"] == 1).await;

    assert_eq!(
        (&slow[0]["state"], &slow[0]["status"]),
        (&json!("pending"), &Value::Null)
    );
    assert_eq!(slow[0]["problem"], "the receiver did not answer in time");
    sender.end().await;
    collector.stop().await;
}

async fn of_two_collectors_one_sends(database: &TestDatabase) {
    // The process that uses a file is its only one.
    if !database.is_server() {
        return;
    }
    let (hook, url) = Hook::start(&[], false).await;
    let collector = attacked(database, Vec::new()).await;
    let senders = [
        Sender::start(database, webhook(&url)).await,
        Sender::start(database, webhook(&url)).await,
    ];
    collector.stop().await;

    let users = ["bob", "carol", "dave", "erin"];
    let making = notifying(webhook(&url), Arc::new(ManualClock::at(at(30))));
    let collector = Collector::with(database, built_in(), making).await;
    for user in users {
        let batch: Vec<_> = (0..10).map(|second| failure(second, user, "192.0.2.9")).collect();
        collector.log.append(&batch, &[], at(10)).await.unwrap();
    }
    let made = "SELECT COUNT(*) FROM notification WHERE state <> 'delivered'";
    eventually("all is delivered", || async {
        let count = database.number("SELECT COUNT(*) FROM notification").await;
        (count >= 4 && database.number(made).await == 0).then_some(())
    })
    .await;

    let mut ids: Vec<_> = hook.received().into_iter().map(|(id, _)| id).collect();
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count, "none is sent twice");
    for sender in senders {
        sender.end().await;
    }
    collector.stop().await;
}

async fn a_withdrawal_is_told_to_those_who_know_the_alert(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[], false).await;
    let told = "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\n\
        only = { rules = ['ghost-token'] }\n";
    let making = notifying(receivers(&url, told), Arc::new(ManualClock::at(at(30))));
    let collector = Collector::with(database, built_in(), making).await;
    // The log must reach back further than the rule looks.
    let first = failure(-4_000, "bob", "192.0.2.1");
    collector.log.append(&[first], &[], at(-4_000)).await.unwrap();
    let mut used = request_facts();
    used.actor.jti = Some("jti_ghost".into());
    used.token = Some(TokenFacts {
        iss: Some("http://gatelog.test".into()),
        ..TokenFacts::default()
    });
    collector
        .log
        .append(&[arrival(event(NOW, used))], &[], NOW)
        .await
        .unwrap();
    let later = failure(90, "bob", "192.0.2.1");
    collector.log.append(&[later], &[], at(90)).await.unwrap();
    let sender = Sender::start(database, receivers(&url, told)).await;
    hook.until_received(1).await;

    let mut issued = Facts::new(Class::Auth, action::AUTHN_TOKEN_CREATED, Outcome::Success);
    issued.actor.jti = Some("jti_ghost".into());
    let issued = arrival(event_of("auth-service", at(1), issued));
    collector.log.append(&[issued], &[], at(91)).await.unwrap();

    let messages = hook.until_received(2).await;
    let kinds: Vec<_> = messages.iter().map(|(_, body)| &body["type"]).collect();
    assert_eq!(kinds, ["gatelog.alert.raised", "gatelog.alert.withdrawn"]);
    assert!(messages[1].1["data"]["alert"]["withdrawn_at"].is_string());
    assert_ne!(messages[0].0, messages[1].0);
    sender.end().await;
    collector.stop().await;
}

async fn a_test_says_what_the_receiver_answered(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[200, 403], false).await;
    let mut api = TestApi::with_receivers(database.log().await, webhook(&url));
    let test = ("POST", "/v1/notifications/test");
    let to = |name: &str| json!({ "receiver": name });

    let good = api.act(test, "audit:respond", None, &to("siem")).await;
    let bad = api.act(test, "audit:respond", None, &to("siem")).await;
    let unknown = api.act(test, "audit:respond", None, &to("nobody")).await;
    let reader = api.act(test, "audit:read", None, &to("siem")).await;

    assert_eq!(
        good.body,
        json!({"delivered": true, "status": 200, "problem": null})
    );
    assert_eq!(
        (&bad.body["delivered"], &bad.body["status"]),
        (&json!(false), &json!(403))
    );
    assert_eq!(unknown.body["code"], "receiver_not_found");
    assert_eq!(reader.status, StatusCode::FORBIDDEN);
    assert_eq!(hook.received()[0].1["type"], "gatelog.alert.test");
    let told = api
        .recorded_event(|event| event.facts.action == action::NOTIFICATION_TESTED)
        .await;
    assert_eq!(told.facts.detail["receiver"], "siem");
}

async fn what_is_more_than_a_receiver_gets_in_an_hour_is_held_back_and_told_once(database: &TestDatabase) {
    let (hook, url) = Hook::start(&[], false).await;
    let limited = "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\nper_hour = 2\nonly = { rules = ['brute-force-account'] }\n";
    let told = receivers(&url, limited);
    let collector = Collector::with(
        database,
        built_in(),
        notifying(told.clone(), Arc::new(ManualClock::at(at(30)))),
    )
    .await;
    let attacks: Vec<_> = (0..5)
        .flat_map(|user| {
            (0..10).map(move |second| failure(second, &format!("user{user}"), &format!("192.0.2.{user}")))
        })
        .collect();
    collector.log.append(&attacks, &[], at(10)).await.unwrap();
    until_read(database, 50).await;
    let api = TestApi::on(collector.log.clone());

    let sender = Sender::start(database, told).await;
    let shown = until_shown(&api, "?state=failed", |shown| {
        shown.as_array().unwrap().len() == 3
    })
    .await;
    assert!(
        shown[0]["problem"].as_str().unwrap().starts_with("held back"),
        "{shown}"
    );
    assert_eq!(hook.received().len(), 2);
    // What was held back can be asked for, and comes although there are too many.
    let id = shown[0]["id"].as_str().unwrap();
    let path = format!("/v1/notifications/{id}/retry");
    let again = api
        .act(("POST", path.as_str()), "audit:respond", None, &Value::Null)
        .await;
    assert!(again.status.is_success(), "{}", again.body);
    let messages = hook.until_received(3).await;
    assert_eq!(messages[2].0, id);
    let delivered = |shown: &Value| shown.as_array().unwrap().len() == 3;
    until_shown(&api, "?state=delivered", delivered).await;
    sender.clock.advance(Duration::from_hours(1));
    let messages = hook.until_received(4).await;

    assert_eq!(messages[3].1["type"], "gatelog.alert.held_back");
    let title = messages[3].1["data"]["alert"]["title"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(title.starts_with("2 more messages"), "{title}");
    until_number(database, "SELECT COUNT(*) FROM notification WHERE held = 2", 2).await;
    assert_eq!(hook.received().len(), 4);
    sender.end().await;
    collector.stop().await;
}

async fn until_number(database: &TestDatabase, sql: &str, expected: i64) {
    eventually(sql, || async {
        (database.number(sql).await == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_command_says_who_took_a_message_and_fails_if_somebody_did_not() {
    let (hook, url) = Hook::start(&[204, 204, 410], false).await;
    let folder = TempDir::new().unwrap();
    let both = "[webhook.siem]\nurl_file = 'DIR/url'\nsecret_file = 'DIR/secret'\n[slack.on-call]\nurl_file = 'DIR/url'\n";
    receivers_in(folder.path(), &url, both);
    let config = folder.path().join("collector.toml");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let settings = format!(
        "database_url = 'sqlite:{}'\nbroker_url = 'amqp://audit-collector:x@localhost'\nspool_dir = '{}'\n\
         service_token = '0123456789abcdef0123456789abcdef'\nnotifications_file = '{}'\n",
        path("audit.db"),
        path("spool"),
        path("notifications.toml"),
    );
    std::fs::write(&config, settings).unwrap();
    let test = async |receiver: Option<&str>| {
        let receiver = receiver.map(str::to_owned);
        NotifyCommand::Test { receiver }.run(Some(&config)).await
    };

    test(Some("siem")).await.unwrap();
    // The one that is asked second refuses.
    let of_all = test(None).await.unwrap_err();
    let unknown = test(Some("nobody")).await.unwrap_err();

    assert_eq!(of_all.to_string(), "1 did not take the message");
    assert!(unknown.to_string().contains("on-call, siem"), "{unknown}");
    let received = hook.received();
    assert_eq!(received.len(), 3);
    assert_eq!(received[0].1["type"], "gatelog.alert.test");
    assert!(!folder.path().join("audit.db").exists());
}
