//! Responses: ordered by people and by rules, carried out by auth-service, undone, and watched until a door refuses.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use audit_collector::detection::rule::{RuleSet, RuleSource};
use audit_collector::event_log::{Arrival, EventLog};
use audit_collector::response::{Credentials, Responding, ResponseMetrics, ResponseSettings, responder};
use axum::Router;
use axum::body::to_bytes;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::IntoResponse as _;
use serde_json::{Value, json};
use shared::clock::{Clock as _, SharedClock, SystemClock, UtcMicros};
use shared::event::{Class, ClientFacts, Event, Facts, Identity, Outcome, action, wire};
use shared::runtime::metrics::Metrics;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, SpoolSettings, SpoolTasks};
use shared::transport::{Bus, Consumer, Transport};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::api::{Answer, TestApi};
use crate::harness::database::TestDatabase;
use crate::harness::detecting::{Collector, built_in, failure, notifying, until_read};
use crate::harness::events::{arrival, at, event, event_of, request_facts};
use crate::harness::eventually;
use crate::pseudonyms::pseudonyms;

on_both_databases!(
    an_address_is_kept_out_until_the_order_is_undone,
    the_true_address_is_kept_out_where_addresses_have_pseudonyms,
    whoever_is_spared_is_spared_by_the_true_address,
    orders_that_must_not_be_given_are_refused_and_not_kept,
    what_auth_service_refuses_has_failed_and_what_it_cannot_answer_is_tried_again,
    a_rule_orders_once_and_no_more_than_it_may,
    what_happened_long_ago_is_not_responded_to,
    a_rule_of_the_program_says_what_it_would_have_done_and_asks_nobody,
);

/// An auth-service that notes what it is asked, and answers so.
pub(crate) struct Auth {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<(String, Value)>>>,
    answer: Arc<Mutex<(StatusCode, Value)>>,
    /// What it answers to changes of users.
    user: Arc<Mutex<(StatusCode, Value)>>,
    /// As long as it is so, nothing is answered.
    pub(crate) is_stuck: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Auth {
    async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_on(address: SocketAddr) -> Self {
        let asked: Arc<Mutex<Vec<(String, Value)>>> = Arc::default();
        let answer = Arc::new(Mutex::new((StatusCode::CREATED, json!({"id": "blk_1"}))));
        let user = Arc::new(Mutex::new((StatusCode::OK, json!({}))));
        let is_stuck = watch::Sender::new(false);
        let (noted, said) = (Arc::clone(&asked), Arc::clone(&answer));
        let (said_of_user, stuck) = (Arc::clone(&user), is_stuck.clone());
        let router = Router::new().fallback(async move |request: Request| {
            let (head, body) = request.into_parts();
            let body = to_bytes(body, 10_000).await.unwrap();
            if head.uri.path() == "/oauth/token" {
                let basic = head.headers["authorization"].to_str().unwrap();
                assert_eq!(basic, "Basic Y29sbGVjdG9yOnMzY3JldA==");
                return axum::Json(json!({"access_token": "good"})).into_response();
            }
            assert_eq!(head.headers["authorization"], "Bearer good");
            let what = format!("{} {}", head.method, head.uri.path());
            let body = serde_json::from_slice(&body).unwrap_or(Value::Null);
            let is_of_user = head.uri.path().starts_with("/v1/admin/users/");
            if is_of_user && head.method == "GET" {
                return ([("etag", "\"1\"")], axum::Json(json!({}))).into_response();
            }
            noted.lock().unwrap().push((what, body));
            stuck.subscribe().wait_for(|stuck| !stuck).await.unwrap();
            if head.method == "DELETE" {
                return StatusCode::NO_CONTENT.into_response();
            }
            let (status, body) = if is_of_user { &said_of_user } else { &said }
                .lock()
                .unwrap()
                .clone();
            (status, [("x-gatelog-decision", "dis_1")], axum::Json(body)).into_response()
        });
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            asked,
            answer,
            user,
            is_stuck,
            task,
        }
    }

    pub(crate) fn answers(&self, status: StatusCode, body: Value) {
        *self.answer.lock().unwrap() = (status, body);
    }

    pub(crate) fn answers_of_users(&self, status: StatusCode, body: Value) {
        *self.user.lock().unwrap() = (status, body);
    }

    /// Nothing listens there any more; its address.
    pub(crate) async fn goes_away(&mut self) -> SocketAddr {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
        self.address
    }

    pub(crate) fn asked(&self) -> Vec<(String, Value)> {
        self.asked.lock().unwrap().clone()
    }
}

/// What carries orders out.
pub(crate) struct Responses {
    pub(crate) auth: Auth,
    told: Consumer,
    stop: CancellationToken,
    pub(crate) task: JoinHandle<()>,
    _responding: Responding,
    _spool: (TempDir, SpoolTasks),
}

fn counts() -> ResponseMetrics {
    Metrics::new().register("test", ResponseMetrics::register)
}

impl Responses {
    pub(crate) async fn start(log: &EventLog, clock: SharedClock, rules_max: u32) -> Self {
        Self::asking(Auth::start().await, log, &clock, rules_max)
    }

    pub(crate) fn asking(auth: Auth, log: &EventLog, clock: &SharedClock, rules_max: u32) -> Self {
        let (transport, folder) = (Transport::InProcess(Bus::new()), TempDir::new().unwrap());
        let spool = SpoolSettings {
            dir: folder.path().to_owned(),
            service: "audit-collector",
            instance: "test".parse().unwrap(),
            bytes_max: 1_000_000,
        };
        let (spool, tasks) = spool::open(&spool, &transport, Arc::clone(clock)).unwrap();
        let settings = ResponseSettings {
            credentials: Some(Credentials {
                client_id: "collector".into(),
                secret: "s3cret".into(),
            }),
            spared: Vec::new(),
            rules_max,
        };
        let made = responder(
            &settings,
            &format!("http://{}", auth.address),
            &[],
            (log, &spool, clock),
            counts(),
        )
        .unwrap();
        let (responder, responding) = made.unwrap();
        let stop = CancellationToken::new();
        Self {
            auth,
            told: transport.consumer(100),
            task: tokio::spawn(responder.run(stop.clone())),
            stop,
            _responding: responding,
            _spool: (folder, tasks),
        }
    }

    pub(crate) async fn next_told(&mut self, name: &str) -> Event {
        let telling = async {
            loop {
                let delivery = self.told.receive(1, Duration::ZERO).await.unwrap().remove(0);
                let event = wire::decode(&delivery.body).unwrap();
                self.told.acknowledge(vec![delivery.receipt]).await.unwrap();
                if event.facts.action == name {
                    return event;
                }
            }
        };
        // Beats are told all the time: they are no reason to wait longer.
        let told = tokio::time::timeout(Duration::from_secs(30), telling).await;
        told.expect("it was not told")
    }

    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
        self.auth.task.abort();
    }
}

/// An alert on `alice`, and the path of it.
pub(crate) async fn with_alert(database: &TestDatabase) -> (Collector, TestApi, String) {
    with_alert_on(database, database.log().await, "192.0.2.9").await
}

/// The same from that address, in that log.
async fn with_alert_on(database: &TestDatabase, log: EventLog, ip: &str) -> (Collector, TestApi, String) {
    let collector = Collector::on(log, built_in(), notifying(Vec::new(), Arc::new(SystemClock)));
    let batch: Vec<_> = (0..10).map(|second| failure(second, "alice", ip)).collect();
    collector.log.append(&batch, &[], at(10)).await.unwrap();
    until_read(database, 10).await;
    let api = TestApi::on(collector.log.clone());
    let listed = api.get("/v1/alerts?rule=brute-force-account").await.body;
    let fingerprint = listed["alerts"][0]["fingerprint"].as_str().unwrap().to_owned();
    (collector, api, format!("/v1/alerts/{fingerprint}"))
}

/// The address of the events that the alert at `path` stands on, as they have it.
async fn pseudonym_in(api: &TestApi, path: &str) -> Value {
    let alert = api.get(path).await.body;
    let event = alert["evidence"][0].as_str().unwrap();
    let event = api.get(&format!("/v1/events/{event}")).await.body;
    event["client"]["ip"].clone()
}

pub(crate) async fn order(api: &TestApi, path: &str, body: Value) -> Answer {
    let path = format!("{path}/responses");
    api.act(("POST", path.as_str()), "audit:respond", None, &body)
        .await
}

pub(crate) fn refusal(answer: &Answer) -> (u16, &str) {
    (
        answer.status.as_u16(),
        answer.body["code"].as_str().unwrap_or_default(),
    )
}

/// The first response of the alert, once it is so.
pub(crate) async fn until_state(api: &TestApi, path: &str, state: &str) -> Value {
    eventually(&format!("the response is {state}"), || async {
        let response = api.get(path).await.body["responses"][0].clone();
        (response["state"] == state).then_some(response)
    })
    .await
}

/// A refusal of 192.0.2.9, by that block if it says so.
pub(crate) fn refused(decision: Option<&str>) -> Arrival {
    let mut facts = request_facts();
    facts.outcome = Outcome::Denied;
    facts.client = Some(ClientFacts {
        ip: Some("192.0.2.9".into()),
        ..ClientFacts::default()
    });
    let facts = match decision {
        Some(decision) => facts.with_detail("decision", decision),
        None => facts,
    };
    arrival(event(at(30), facts))
}

async fn an_address_is_kept_out_until_the_order_is_undone(database: &TestDatabase) {
    let (collector, mut api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;

    let body = json!({"action": "block_address", "value": "192.0.2.9", "seconds": 600, "reason": "guessing"});
    let ordered = order(&api, &path, body).await;

    assert_eq!(ordered.status, StatusCode::ACCEPTED, "{}", ordered.body);
    assert_eq!(ordered.body["state"], "pending");
    let told = api
        .recorded_event(|event| event.facts.action == action::RESPONSE_ORDERED)
        .await;
    assert_eq!(told.facts.detail["value"], "192.0.2.9");
    let in_force = until_state(&api, &path, "in_force").await;
    assert_eq!(
        (&in_force["decision"], &in_force["author"]),
        (&json!("blk_1"), &json!("auditor"))
    );
    assert!(in_force["contained_after_us"].is_u64() && in_force["first_refusal"].is_null());
    let carried_out = responses.next_told(action::RESPONSE_CARRIED_OUT).await;
    assert_eq!(
        (
            &carried_out.facts.detail["before"],
            &carried_out.facts.detail["after"]
        ),
        (&json!("pending"), &json!("in_force"))
    );
    let (what, asked) = responses.auth.asked()[0].clone();
    assert_eq!(what, "POST /v1/admin/blocks");
    assert_eq!(
        (&asked["address"], &asked["seconds"]),
        (&json!("192.0.2.9"), &json!(600))
    );

    // A refusal for another reason is no proof.
    let batch = [refused(None), refused(Some("blk_7")), refused(Some("blk_1"))];
    let proof = batch[2].event.id;
    collector.log.append(&batch, &[], at(31)).await.unwrap();
    let effective = responses.next_told(action::RESPONSE_EFFECTIVE).await;
    assert_eq!(effective.facts.detail["refusal"], proof.to_string());
    let response = api.get(&path).await.body["responses"][0].clone();
    assert_eq!(response["first_refusal"]["event"], proof.to_string());

    let id = response["id"].as_str().unwrap();
    assert_eq!(asked["key"], id, "asked twice, it is done once");
    let one = format!("{path}/responses/{id}");
    let undo = || api.act(("DELETE", one.as_str()), "audit:respond", None, &Value::Null);
    assert_eq!(undo().await.status, StatusCode::ACCEPTED);
    let lifted = until_state(&api, &path, "lifted").await;
    assert_eq!(lifted["ended_by"], "auditor");
    assert_eq!(responses.auth.asked()[1].0, "DELETE /v1/admin/blocks/blk_1");
    assert_eq!(refusal(&undo().await), (409, "response_not_in_force"));
    responses.stop().await;
    collector.stop().await;
}

async fn the_true_address_is_kept_out_where_addresses_have_pseudonyms(database: &TestDatabase) {
    let log = database.log().await.with_pseudonyms(Some(pseudonyms(&['a'])));
    let (collector, api, path) = with_alert_on(database, log.clone(), "192.0.2.9").await;
    let mut responses = Responses::start(&log, api.clock.clone(), 5).await;
    let pseudonym = pseudonym_in(&api, &path).await;
    let block = |value: &Value| json!({"action": "block_address", "value": value, "reason": "guessing"});

    // Nobody in these events has that one, be it somebody's true address or another's pseudonym.
    let unknown = order(&api, &path, block(&json!("192.0.2.9"))).await;
    let ordered = order(&api, &path, block(&pseudonym)).await;

    assert_eq!(refusal(&unknown), (409, "response_address_unknown"));
    assert_eq!(ordered.body["value"], pseudonym);
    let in_force = until_state(&api, &path, "in_force").await;
    assert_eq!(in_force["value"], pseudonym);
    let asked = responses.auth.asked();
    assert_eq!((asked.len(), &asked[0].1["address"]), (1, &json!("192.0.2.9")));
    let told = responses.next_told(action::RESPONSE_CARRIED_OUT).await;
    assert_eq!(told.facts.detail["value"], pseudonym);
    // A door refuses the true address, which is stored as its pseudonym.
    collector
        .log
        .append(&[refused(Some("blk_1"))], &[], at(31))
        .await
        .unwrap();
    responses.next_told(action::RESPONSE_EFFECTIVE).await;
    responses.stop().await;
    collector.stop().await;
}

async fn whoever_is_spared_is_spared_by_the_true_address(database: &TestDatabase) {
    let log = database.log().await.with_pseudonyms(Some(pseudonyms(&['a'])));
    // The harness spares this one.
    let (collector, api, path) = with_alert_on(database, log, "198.51.100.7").await;
    let pseudonym = pseudonym_in(&api, &path).await;

    let body = json!({"action": "block_address", "value": pseudonym, "reason": "guessing"});
    let ordered = order(&api, &path, body).await;

    assert_eq!(refusal(&ordered), (409, "response_spared"));
    collector.stop().await;
}

async fn orders_that_must_not_be_given_are_refused_and_not_kept(database: &TestDatabase) {
    let (collector, api, path) = with_alert(database).await;
    let block = |value: &str| json!({"action": "block_address", "value": value, "reason": "x"});

    for (body, refused) in [
        // The harness spares these two.
        (block("198.51.100.7"), (409, "response_spared")),
        (
            json!({"action": "lock_account", "value": "usr_root", "reason": "x"}),
            (409, "response_spared"),
        ),
        (block("127.0.0.1"), (409, "response_spared")),
        (block("203.0.113.5"), (409, "would_respond_to_yourself")),
        (
            json!({"action": "block_subject", "value": "usr_auditor", "reason": "x"}),
            (409, "would_respond_to_yourself"),
        ),
        (block("0.0.0.0/0"), (400, "body_invalid")),
        (
            json!({"action": "revoke_session", "reason": "the group has none"}),
            (400, "body_invalid"),
        ),
        (
            json!({"action": "block_address", "value": "192.0.2.9", "reason": " "}),
            (400, "body_invalid"),
        ),
        (
            json!({"action": "burn", "value": "x", "reason": "x"}),
            (400, "body_invalid"),
        ),
    ] {
        assert_eq!(
            refusal(&order(&api, &path, body.clone()).await),
            refused,
            "{body}"
        );
    }
    let mut dry = block("192.0.2.9");
    dry["dry_run"] = json!(true);
    let answer = order(&api, &path, dry).await;
    assert_eq!(
        (answer.status, &answer.body["dry_run"], &answer.body["seconds"]),
        (StatusCode::OK, &json!(true), &json!(3600))
    );
    let reader = api
        .act(
            ("POST", &format!("{path}/responses")),
            "audit:read",
            None,
            &block("192.0.2.9"),
        )
        .await;
    assert_eq!(refusal(&reader), (403, "insufficient_scope"));
    assert_eq!(database.number("SELECT COUNT(*) FROM response").await, 0);
    let nobody = format!("{path}/responses/{}", uuid::Uuid::nil());
    let answer = api
        .act(("DELETE", &nobody), "audit:respond", None, &Value::Null)
        .await;
    assert_eq!(refusal(&answer), (404, "response_not_found"));
    collector.stop().await;
}

async fn what_auth_service_refuses_has_failed_and_what_it_cannot_answer_is_tried_again(
    database: &TestDatabase,
) {
    let (collector, api, path) = with_alert(database).await;
    let mut responses = Responses::start(&collector.log, api.clock.clone(), 5).await;
    responses
        .auth
        .answers(StatusCode::BAD_REQUEST, json!({"code": "body_invalid"}));
    order(
        &api,
        &path,
        json!({"action": "block_subject", "value": "usr_1", "reason": "x"}),
    )
    .await;

    let failed = until_state(&api, &path, "failed").await;

    assert_eq!(failed["problem"], "auth_service_refused: body_invalid");
    let told = responses.next_told(action::RESPONSE_CARRIED_OUT).await;
    assert_eq!(told.facts.outcome, Outcome::Failure);

    responses
        .auth
        .answers(StatusCode::SERVICE_UNAVAILABLE, json!({"code": "unavailable"}));
    order(
        &api,
        &path,
        json!({"action": "block_subject", "value": "usr_2", "reason": "x"}),
    )
    .await;
    eventually("it was tried", || async {
        (responses.auth.asked().len() == 2).then_some(())
    })
    .await;
    responses
        .auth
        .answers(StatusCode::CREATED, json!({"id": "blk_2"}));
    eventually("it is in force", || async {
        // The next try is a second later by the clock of the test.
        api.clock.advance(Duration::from_secs(1));
        let query = "SELECT COUNT(*) FROM response WHERE state = 'in_force' AND decision = 'blk_2'";
        (database.number(query).await == 1).then_some(())
    })
    .await;
    responses.stop().await;
    collector.stop().await;
}

/// Rules of which one orders.
pub(crate) fn ordering(folder: &TempDir) -> RuleSet {
    let text = built_in().find("brute-force-account").unwrap().source.clone();
    let own = text
        .replace("group-by: [actor.username]", "group-by: [client.ip]")
        .replace(
            "correlation:",
            "respond:\n  - {action: block_address, for: 10m}\ncorrelation:",
        );
    // What it groups by now is nothing that its own tests say.
    let tests = own.find("tests:").unwrap();
    let own = format!(
        "{}tests:\n  - name: many\n    events: [{{repeat: 12, every: 1s, action: authn_login_fail, outcome: failure, \
         reason: bad_credentials, actor.username: u, client.ip: 192.0.2.1}}]\n    alerts: [[192.0.2.1]]\n  - name: none\n    \
         events: [{{action: authn_login_success, outcome: success, client.ip: 192.0.2.1}}]\n    alerts: []\n",
        &own[..tests]
    );
    std::fs::write(folder.path().join("own.yaml"), own).unwrap();
    let source = RuleSource {
        folder: Some(folder.path().to_owned()),
        issuer: "http://gatelog.test".into(),
        ..RuleSource::default()
    };
    source.load().unwrap()
}

/// A failure at this moment.
pub(crate) fn fresh_failure(now: UtcMicros, ip: &str) -> Arrival {
    let mut facts =
        Facts::new(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure).because("bad_credentials");
    facts.actor.identity = Identity::Claimed;
    facts.actor.username = Some("alice".into());
    facts.client = Some(ClientFacts {
        ip: Some(ip.into()),
        ..ClientFacts::default()
    });
    arrival(event_of("auth-service", now, facts))
}

async fn a_rule_orders_once_and_no_more_than_it_may(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let collector = Collector::start(database, ordering(&folder)).await;
    let responses = Responses::start(&collector.log, Arc::new(SystemClock), 1).await;
    let now = SystemClock.now();
    let attack = |ip: &str| -> Vec<_> { (0..12).map(|_| fresh_failure(now, ip)).collect() };

    let until = async |state: &str| {
        let query = format!("SELECT COUNT(*) FROM response WHERE state = '{state}'");
        eventually(state, || async {
            (database.number(&query).await == 1).then_some(())
        })
        .await;
    };
    collector
        .log
        .append(&attack("192.0.2.1"), &[], now)
        .await
        .unwrap();
    until("in_force").await;
    // The same alert grows, and another one comes.
    for ip in ["192.0.2.1", "192.0.2.2"] {
        collector.log.append(&attack(ip), &[], now).await.unwrap();
    }
    until_read(database, 36).await;
    until("refused").await;

    let limited = "SELECT COUNT(*) FROM response WHERE problem = 'limit_reached'";
    assert_eq!(database.number(limited).await, 1);
    let asked = responses.auth.asked();
    assert_eq!(asked.len(), 1, "{asked:?}");
    assert_eq!(asked[0].1["seconds"], 600);
    assert_eq!(database.number("SELECT COUNT(*) FROM response").await, 2);
    responses.stop().await;
    collector.stop().await;
}

async fn what_happened_long_ago_is_not_responded_to(database: &TestDatabase) {
    let folder = TempDir::new().unwrap();
    let collector = Collector::start(database, ordering(&folder)).await;

    let old: Vec<_> = (0..12)
        .map(|second| failure(second, "alice", "192.0.2.1"))
        .collect();
    collector.log.append(&old, &[], at(12)).await.unwrap();
    until_read(database, 12).await;

    assert!(database.number("SELECT COUNT(*) FROM alert").await >= 1);
    assert_eq!(database.number("SELECT COUNT(*) FROM response").await, 0);
    collector.stop().await;
}

/// One address tries a wrong password on each of many users.
fn spraying(now: UtcMicros) -> Vec<Arrival> {
    let one = |user: usize| {
        let mut failed = (*fresh_failure(now, "192.0.2.1").event).clone();
        failed.facts.actor.username = Some(format!("user{user}"));
        arrival(failed)
    };
    (0..60).map(one).collect()
}

async fn a_rule_of_the_program_says_what_it_would_have_done_and_asks_nobody(database: &TestDatabase) {
    let collector = Collector::start(database, built_in()).await;
    let responses = Responses::start(&collector.log, Arc::new(SystemClock), 20).await;
    let now = SystemClock.now();

    collector.log.append(&spraying(now), &[], now).await.unwrap();
    until_read(database, 60).await;

    let kept: Vec<(String, String, String, Option<String>)> = database
        .rows(
            "SELECT r.action, r.value, r.state, r.problem FROM response r JOIN alert a ON a.fingerprint = r.fingerprint \
             WHERE a.rule_id = 'password-spraying'",
        )
        .await;
    let expected = ("block_address", "192.0.2.1", "refused", Some("dry_run"));
    let kept: Vec<_> = kept
        .iter()
        .map(|(action, value, state, problem)| {
            (
                action.as_str(),
                value.as_str(),
                state.as_str(),
                problem.as_deref(),
            )
        })
        .collect();
    assert_eq!(kept, [expected]);
    assert!(responses.auth.asked().is_empty());
    // It uses nothing up of what rules may order.
    let counted = "SELECT COUNT(*) FROM response WHERE state <> 'refused'";
    assert_eq!(database.number(counted).await, 0);
    responses.stop().await;
    collector.stop().await;
}
