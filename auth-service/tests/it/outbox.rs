//! The relay: every committed event leaves once confirmed, under one number, whatever happens on the way.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use auth_service::run;
use auth_service::settings::Settings;
use serde_json::json;
use shared::event::{Event, wire};
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::RunningHash;
use shared::topology::Topology;
use shared::transport::{Broker, Bus, Consumer, Delivery, Transport};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::databases::{on_both_databases, server};
use crate::harness::Harness;

const DEADLINE: Duration = Duration::from_secs(30);

/// A service that runs, and so relays.
struct Running {
    shutdown: CancellationToken,
    task: JoinHandle<Result<(), StartError>>,
}

impl Running {
    async fn start(settings: &Settings, transport: &Transport) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let shutdown = CancellationToken::new();
        let settings = Settings {
            transport: transport.clone(),
            ..settings.clone()
        };
        let task = tokio::spawn(run(settings, listener, shutdown.clone()));
        Self { shutdown, task }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        timeout(DEADLINE, self.task).await.unwrap().unwrap().unwrap();
    }
}

fn in_process() -> (Transport, Consumer) {
    let transport = Transport::InProcess(Bus::new());
    let consumer = transport.consumer(1000);
    (transport, consumer)
}

async fn receive(consumer: &mut Consumer) -> Vec<Delivery> {
    let receiving = consumer.receive(1000, Duration::from_millis(50));
    timeout(DEADLINE, receiving).await.unwrap().unwrap()
}

/// Receives and acknowledges until `count` different events have come.
async fn take(consumer: &mut Consumer, count: usize) -> BTreeMap<u64, Vec<u8>> {
    let mut taken = BTreeMap::new();
    while taken.len() < count {
        let deliveries = receive(consumer).await;
        for delivery in &deliveries {
            keep(&mut taken, delivery);
        }
        let receipts = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        consumer.acknowledge(receipts).await.unwrap();
    }
    taken
}

/// A number that comes twice must come with the same bytes.
fn keep(taken: &mut BTreeMap<u64, Vec<u8>>, delivery: &Delivery) {
    let event = wire::decode(&delivery.body).unwrap();
    let known = taken.insert(event.seq, delivery.body.to_vec());
    assert!(
        known.is_none_or(|known| known == delivery.body),
        "number {} changed",
        event.seq
    );
}

fn events(taken: &BTreeMap<u64, Vec<u8>>) -> Vec<Event> {
    taken.values().map(|body| wire::decode(body).unwrap()).collect()
}

async fn until_empty(harness: &Harness) {
    let emptying = async {
        while harness.number("SELECT COUNT(*) FROM outbox").await > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, emptying).await.unwrap();
}

async fn events_leave_in_order_from_one_source_and_are_forgotten(harness: Arc<Harness>) {
    harness.set_up().await;
    let committed = harness.events().await;
    let (transport, mut consumer) = in_process();
    let running = Running::start(&harness.settings, &transport).await;

    let taken = take(&mut consumer, committed.len() + 1).await;

    let events = events(&taken);
    let numbers: Vec<u64> = events.iter().map(|event| event.seq).collect();
    assert_eq!(numbers, (1..=numbers.len() as u64).collect::<Vec<_>>());
    assert_eq!(events[0].facts.action, "boot");
    assert!(events.iter().all(|event| event.source == events[0].source));
    let source = events[0].source.to_string();
    assert!(source.starts_with("/auth-service/outbox/"), "{source}");
    let actions: Vec<_> = events[1..]
        .iter()
        .map(|event| event.facts.action.as_str())
        .collect();
    let expected: Vec<_> = committed
        .iter()
        .map(|facts| facts["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, expected);
    until_empty(&harness).await;
    running.stop().await;
}

async fn a_number_keeps_its_bytes_until_it_is_confirmed_even_across_a_crash(harness: Arc<Harness>) {
    harness.set_up().await;
    let (transport, mut consumer) = in_process();
    let running = Running::start(&harness.settings, &transport).await;
    let mut refused = BTreeMap::new();
    // Dropped without an acknowledgement, twice: the relay sends the same again.
    for _ in 0..2 {
        for delivery in receive(&mut consumer).await {
            keep(&mut refused, &delivery);
        }
    }
    running.task.abort();
    running.task.await.unwrap_err();
    harness.log_in("root").await;
    let (transport, mut consumer) = in_process();
    let running = Running::start(&harness.settings, &transport).await;

    let taken = take(&mut consumer, refused.len() + 2).await;

    for (number, body) in &refused {
        assert_eq!(taken.get(number), Some(body), "number {number}");
    }
    let boots = events(&taken)
        .iter()
        .filter(|event| event.facts.action == "boot")
        .count();
    assert_eq!(boots, 1, "a restart is no new source");
    running.stop().await;
}

async fn replicas_take_turns_and_never_number_twice(harness: Arc<Harness>) {
    harness.set_up().await;
    let (transport, mut consumer) = in_process();
    let first = Running::start(&harness.settings, &transport).await;
    let mut taken = take(&mut consumer, 6).await;
    let second = Running::start(&harness.settings, &transport).await;

    for _ in 0..5 {
        harness.log_in("root").await;
    }
    taken.append(&mut take(&mut consumer, 10).await);
    first.stop().await;
    for _ in 0..5 {
        harness.log_in("root").await;
    }
    taken.append(&mut take(&mut consumer, 10).await);

    let numbers: Vec<u64> = taken.keys().copied().collect();
    assert_eq!(numbers, (1..=26).collect::<Vec<u64>>());
    until_empty(&harness).await;
    second.stop().await;
}

async fn what_was_rolled_back_is_never_told(harness: Arc<Harness>) {
    let admin = harness.set_up().await;
    let before = harness.events().await.len();

    let refused = json!({"username": "bob", "roles": ["emperor"]});
    harness.post_as("/v1/admin/users", &admin, &refused).await;

    assert_eq!(harness.events().await.len(), before);
}

on_both_databases!(
    events_leave_in_order_from_one_source_and_are_forgotten,
    a_number_keeps_its_bytes_until_it_is_confirmed_even_across_a_crash,
    replicas_take_turns_and_never_number_twice,
    what_was_rolled_back_is_never_told,
);

/// Takes as long as a heartbeat does.
#[tokio::test]
async fn a_heartbeat_carries_the_hash_of_all_before_it() {
    crate::databases::on_sqlite(|harness: Arc<Harness>| async move {
        harness.set_up().await;
        let (transport, mut consumer) = in_process();
        let running = Running::start(&harness.settings, &transport).await;

        let taken = take(&mut consumer, harness.events().await.len() + 2).await;

        let events = events(&taken);
        let beat = events.last().unwrap();
        assert_eq!(beat.facts.action, "heartbeat");
        assert_eq!(beat.facts.detail["last_seq"], beat.seq - 1);
        let before = taken.values().take(taken.len() - 1);
        let hash = before.fold(RunningHash::default(), |hash, body| hash.after(body));
        assert_eq!(beat.facts.detail["running_hash"], hash.to_string());
        running.stop().await;
    })
    .await;
}

#[tokio::test]
async fn events_reach_the_collector_s_queue_over_rabbitmq() {
    let (Some(address), Some(password)) = (
        server("GATELOG_TEST_BROKER"),
        server("GATELOG_TEST_BROKER_PASSWORD"),
    ) else {
        return;
    };
    let id = uuid::Uuid::new_v4().simple().to_string();
    let prefix = format!("t{}", &id[..7]);
    let broker = |user: &str| {
        Transport::Rabbit(Broker {
            url: format!("amqp://{user}:{password}@{address}/%2f").parse().unwrap(),
            topology: Topology::new(&prefix).unwrap(),
            connection_name: user.to_owned(),
        })
    };
    let (sender, receiver) = (broker("auth-service"), broker("audit-collector"));

    crate::databases::on_sqlite(move |harness: Arc<Harness>| async move {
        harness.set_up().await;
        let count = harness.events().await.len() + 1;
        // Before any collector there is nothing to publish to; the events wait.
        let running = Running::start(&harness.settings, &sender).await;
        let mut consumer = receiver.consumer(100);

        let deliveries = receive(&mut consumer).await;
        let publishers: Vec<_> = deliveries
            .iter()
            .map(|delivery| delivery.publisher.clone())
            .collect();
        let mut taken = BTreeMap::new();
        for delivery in &deliveries {
            keep(&mut taken, delivery);
        }
        let receipts = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
        consumer.acknowledge(receipts).await.unwrap();
        if taken.len() < count {
            taken.append(&mut take(&mut consumer, count - taken.len()).await);
        }

        assert!(
            publishers
                .iter()
                .all(|user| user.as_deref() == Some("auth-service")),
            "{publishers:?}"
        );
        assert_eq!(events(&taken)[0].facts.action, "boot");
        until_empty(&harness).await;
        running.stop().await;
    })
    .await;
}
