//! The transport over a real RabbitMQ. `scripts/servers -- cargo test -p shared` starts one.

mod consume;
mod control;
mod look;
mod outage;
mod publish;

use std::process::Command;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use bytes::Bytes;
use lapin::options::{ExchangeDeleteOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ConnectionProperties};
use shared::topology::Topology;
use shared::transport::{Broker, Consumer, Delivery, Message, PublishError, Publisher, Transport};
use uuid::Uuid;

use crate::support::within;

const PUBLISHER: &str = "api-service";
const COLLECTOR: &str = "audit-collector";

/// Held by every test while it uses the broker: an alarm stops all who publish.
static BROKER: RwLock<()> = RwLock::new(());

/// A place at the broker, beside others or alone.
#[expect(dead_code, reason = "guards are held, not read")]
enum Place {
    Beside(RwLockReadGuard<'static, ()>),
    Alone(RwLockWriteGuard<'static, ()>),
}

/// A broker and names on it that no other test has.
struct Rig {
    _place: Place,
    address: String,
    password: String,
    ctl: String,
    topology: Topology,
}

impl Rig {
    /// `None`, and a word about it, if there is no broker and none is required.
    fn find() -> Option<Self> {
        Self::at(|| Place::Beside(BROKER.read().unwrap_or_else(PoisonError::into_inner)))
    }

    /// The same while no other test uses the broker.
    fn find_alone() -> Option<Self> {
        Self::at(|| Place::Alone(BROKER.write().unwrap_or_else(PoisonError::into_inner)))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "the variables are the test harness's, and no settings"
    )]
    fn at(place: impl FnOnce() -> Place) -> Option<Self> {
        let variable = |name: &str| std::env::var(format!("GATELOG_TEST_{name}")).ok();
        let found = (
            variable("BROKER"),
            variable("BROKER_PASSWORD"),
            variable("BROKER_CTL"),
        );
        let (Some(address), Some(password), Some(ctl)) = found else {
            assert!(variable("REQUIRE_SERVERS").is_none(), "no RabbitMQ is configured");
            println!("SKIPPED: needs RabbitMQ; run scripts/servers -- cargo test -p shared");
            return None;
        };
        let unique = Uuid::new_v4().simple().to_string();
        Some(Self {
            _place: place(),
            address,
            password,
            ctl,
            topology: Topology::new(&format!("t{}", &unique[..10])).unwrap(),
        })
    }

    fn url(&self, user: &str) -> String {
        format!("amqp://{user}:{}@{}/%2f", self.password, self.address)
    }

    fn transport(&self, user: &str) -> Transport {
        Transport::Rabbit(Broker {
            url: self.url(user).parse().unwrap(),
            topology: self.topology.clone(),
            connection_name: self.connection_name(user),
        })
    }

    fn connection_name(&self, user: &str) -> String {
        format!("{}-{user}", self.topology)
    }

    fn publisher(&self) -> Publisher {
        self.transport(PUBLISHER).publisher(PUBLISHER)
    }

    /// A consumer that is connected and has declared everything.
    async fn consumer(&self, prefetch: u16) -> Consumer {
        let mut consumer = self.transport(COLLECTOR).consumer(prefetch);
        connect(&mut consumer).await;
        consumer
    }

    /// A connection that does only what the test tells it.
    async fn raw(&self, user: &str) -> (Connection, Channel) {
        let url = self.url(user);
        let connecting = Connection::connect(&url, ConnectionProperties::default());
        let connection = within("a connection", connecting).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        (connection, channel)
    }

    /// Messages that wait for a consumer.
    async fn waiting(&self) -> u32 {
        let (_connection, channel) = self.raw(COLLECTOR).await;
        let passive = QueueDeclareOptions {
            passive: true,
            ..QueueDeclareOptions::default()
        };
        let name = self.topology.collector_queue().as_str().into();
        let queue = channel
            .queue_declare(name, passive, FieldTable::default())
            .await
            .unwrap();
        queue.message_count()
    }

    async fn delete_queue(&self) {
        let (_connection, channel) = self.raw(COLLECTOR).await;
        let name = self.topology.collector_queue().as_str().into();
        channel
            .queue_delete(name, QueueDeleteOptions::default())
            .await
            .unwrap();
    }

    /// `rabbitmqctl`, and what it prints.
    fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new(&self.ctl)
            .arg("--quiet")
            .args(arguments)
            .output()
            .unwrap();
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The broker's own ids of the connections of `user` that this test opened.
    fn connections(&self, user: &str) -> Vec<String> {
        let name = self.connection_name(user);
        self.ctl(&["list_connections", "pid", "client_properties"])
            .lines()
            .filter(|line| line.contains(&name))
            .filter_map(|line| Some(line.split_once('\t')?.0.to_owned()))
            .collect()
    }

    fn close_connections(&self, user: &str) {
        let connections = self.connections(user);
        assert!(!connections.is_empty());
        for pid in connections {
            self.ctl(&["close_connection", &pid, "test"]);
        }
    }

    /// Removes the exchange for words to all.
    async fn remove_control(self) {
        let (_connection, channel) = self.raw(COLLECTOR).await;
        let exchange = self.topology.control_exchange();
        channel
            .exchange_delete(exchange.as_str().into(), ExchangeDeleteOptions::default())
            .await
            .unwrap();
    }

    /// Removes what the test left on the broker.
    async fn remove(self) {
        let (_connection, channel) = self.raw(COLLECTOR).await;
        for queue in [self.topology.collector_queue(), self.topology.dead()] {
            channel
                .queue_delete(queue.as_str().into(), QueueDeleteOptions::default())
                .await
                .unwrap();
        }
        for exchange in [self.topology.events_exchange(), self.topology.dead()] {
            let options = ExchangeDeleteOptions::default();
            channel
                .exchange_delete(exchange.as_str().into(), options)
                .await
                .unwrap();
        }
    }
}

/// Receives until the consumer is connected; what came meanwhile is kept for the next receive.
async fn connect(consumer: &mut Consumer) {
    let mut connected = consumer.watch_connected();
    let receiving = consumer.receive(usize::MAX, Duration::from_hours(1));
    tokio::select! {
        biased;
        connected = within("a connection", connected.wait_for(|connected| *connected)) => {
            drop(connected.unwrap());
        }
        received = receiving => panic!("{received:?} before the connection was told"),
    }
}

/// An event whose key nobody shares, so that it is a message of its own.
fn message(body: &str) -> Message {
    Message {
        routing_key: format!("access.{body}.granted"),
        body: Bytes::copy_from_slice(body.as_bytes()),
    }
}

fn messages(bodies: &[&str]) -> Vec<Message> {
    bodies.iter().map(|body| message(body)).collect()
}

async fn publish(publisher: &mut Publisher, bodies: &[&str]) -> Result<(), PublishError> {
    within("a confirm", publisher.publish(&messages(bodies))).await
}

/// Receives until there are `count`.
async fn receive(consumer: &mut Consumer, count: usize) -> Vec<Delivery> {
    let mut deliveries = Vec::new();
    while deliveries.len() < count {
        let more = consumer.receive(count - deliveries.len(), Duration::ZERO);
        deliveries.extend(within("a delivery", more).await.unwrap());
    }
    deliveries
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries
        .iter()
        .map(|delivery| std::str::from_utf8(&delivery.body).unwrap())
        .collect()
}

async fn acknowledge(consumer: &mut Consumer, deliveries: Vec<Delivery>) {
    let receipts = deliveries.into_iter().map(|delivery| delivery.receipt).collect();
    consumer.acknowledge(receipts).await.unwrap();
}
