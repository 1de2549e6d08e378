//! A collector's intake from a real broker.

use std::sync::Arc;
use std::time::Duration;

use audit_collector::event_log::EventLog;
use audit_collector::ingest::{self, Counts, Ingest, Keeper};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use shared::clock::SystemClock;
use shared::runtime::shutdown::CancellationToken;
use shared::transport::Consumer;
use tokio::task::JoinHandle;

use super::broker::TestBroker;
use super::database::TestDatabase;
use super::eventually;

const GATHERING: Ingest = Ingest {
    batch_max: 50,
    linger: Duration::from_millis(10),
    returned_max: u32::MAX,
};

/// A collector's intake.
pub(crate) struct Intake {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Intake {
    /// Starts and waits until there is a queue.
    pub(crate) async fn start(broker: &TestBroker, log: &EventLog) -> Self {
        Self::of(broker.transport("audit-collector").consumer(200), log, GATHERING).await
    }

    /// The same of what the broker gave up.
    pub(crate) async fn of_dead(broker: &TestBroker, log: &EventLog) -> Self {
        let consumer = broker.transport("audit-collector").consumer_of_dead();
        Self::of(consumer.unwrap(), log, Ingest::ONE_BY_ONE).await
    }

    async fn of(consumer: Consumer, log: &EventLog, gathering: Ingest) -> Self {
        let stop = CancellationToken::new();
        let mut connected = consumer.watch_connected();
        let keeper = Keeper {
            log: log.clone(),
            clock: Arc::new(SystemClock),
            counts: Counts::default(),
        };
        let task = tokio::spawn(ingest::run(consumer, keeper, gathering, stop.clone()));
        connected.wait_for(|connected| *connected).await.unwrap();
        Self { task, stop }
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Waits until the table has so many rows; it must not have more.
pub(crate) async fn until_count(database: &TestDatabase, table: &str, count: i64) {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    eventually(&format!("{count} rows in {table}"), || async {
        (database.number(&sql).await >= count).then_some(())
    })
    .await;
    assert_eq!(database.number(&sql).await, count);
}

/// A channel of the collector's user.
pub(crate) async fn channel_of(broker: &TestBroker, service: &str) -> (Connection, Channel) {
    let url = broker.url(service);
    let connection = Connection::connect(&url, ConnectionProperties::default())
        .await
        .unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// Waits until the queue holds so many deliveries that nobody holds unacknowledged.
pub(crate) async fn until_left_on(broker: &TestBroker, queue: &str, count: u32) {
    let (_connection, channel) = channel_of(broker, "audit-collector").await;
    let passive = QueueDeclareOptions {
        passive: true,
        ..QueueDeclareOptions::default()
    };
    eventually(&format!("{count} deliveries on {queue}"), || async {
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default());
        (declared.await.unwrap().message_count() == count).then_some(())
    })
    .await;
}
