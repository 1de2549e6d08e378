//! A real broker, with names of its own for each test.

use std::process::Command;

use shared::event::{Event, wire};
use shared::topology::Topology;
use shared::transport::{Broker, Message, Transport};
use uuid::Uuid;

use super::server_variable;

/// The broker and the names of one test on it.
pub(crate) struct TestBroker {
    address: String,
    password: String,
    prefix: String,
}

impl TestBroker {
    pub(crate) fn new() -> Option<Self> {
        let id = Uuid::new_v4().simple().to_string();
        Some(Self {
            address: server_variable("GATELOG_TEST_BROKER")?,
            password: server_variable("GATELOG_TEST_BROKER_PASSWORD")?,
            prefix: format!("t{}", &id[..8]),
        })
    }

    /// The transport as `service` uses it.
    pub(crate) fn transport(&self, service: &str) -> Transport {
        Transport::Rabbit(Broker {
            url: self.url(service).parse().unwrap(),
            topology: self.topology(),
            connection_name: format!("{service} {}", self.prefix),
        })
    }

    pub(crate) fn url(&self, service: &str) -> String {
        format!("amqp://{service}:{}@{}/%2f", self.password, self.address)
    }

    pub(crate) fn topology(&self) -> Topology {
        self.prefix.parse().unwrap()
    }

    /// Publishes events as `service`. There must be a queue for them.
    pub(crate) async fn publish(&self, service: &str, events: &[Event]) {
        let bodies = events.iter().map(|event| wire::encode(event).unwrap());
        self.publish_bodies(service, bodies.collect()).await;
    }

    /// Publishes anything as `service`. There must be a queue for it: a batch that is sent again may arrive twice.
    pub(crate) async fn publish_bodies(&self, service: &str, bodies: Vec<Vec<u8>>) {
        let messages: Vec<_> = bodies
            .into_iter()
            .map(|body| Message {
                routing_key: "access.api_request.granted".into(),
                body: body.into(),
            })
            .collect();
        let mut publisher = self.transport(service).publisher(service);
        publisher.publish(&messages).await.unwrap();
    }

    /// Closes every connection that the test has to the broker.
    pub(crate) fn close_connections(&self) -> bool {
        let Some(ctl) = server_variable("GATELOG_TEST_BROKER_CTL") else {
            return false;
        };
        let listed = Command::new(&ctl)
            .args(["--quiet", "list_connections", "pid", "client_properties"])
            .output()
            .unwrap();
        let listed = String::from_utf8(listed.stdout).unwrap();
        let own = listed.lines().filter(|line| line.contains(&self.prefix));
        let pids: Vec<&str> = own.filter_map(|line| line.split('\t').next()).collect();
        assert!(
            !pids.is_empty(),
            "the broker knows no connection of this test: {listed}"
        );
        for pid in pids {
            let closed = Command::new(&ctl)
                .args(["--quiet", "close_connection", pid, "test"])
                .status()
                .unwrap();
            assert!(closed.success());
        }
        true
    }
}
