//! The spool: numbers, order, limits, and that nothing it has taken is lost, whatever ends the process.

mod close;
mod crash;
mod damage;
mod disk;
mod inspect;
mod intents;
mod left;
mod limits;
mod order;
mod torn;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use shared::clock::{SystemClock, UtcMicros};
use shared::event::{Class, Draft, Event, Facts, Outcome, Source, action, wire};
use shared::runtime::instance::InstanceName;
use shared::spool::{Spool, SpoolError, SpoolSettings, SpoolTasks, open};
use shared::transport::{Bus, Consumer, Delivery, Transport};
use tempfile::TempDir;

use crate::support::within;

const SERVICE: &str = "api-service";

fn settings(dir: &Path) -> SpoolSettings {
    SpoolSettings {
        dir: dir.to_owned(),
        service: SERVICE,
        instance: "test".parse::<InstanceName>().unwrap(),
        bytes_max: 1 << 30,
    }
}

fn open_in(dir: &Path, bus: &Bus) -> (Spool, SpoolTasks) {
    open_with(&settings(dir), bus).unwrap()
}

fn open_with(settings: &SpoolSettings, bus: &Bus) -> Result<(Spool, SpoolTasks), SpoolError> {
    open(
        settings,
        &Transport::InProcess(bus.clone()),
        Arc::new(SystemClock),
    )
}

fn draft() -> Draft {
    Draft::new(
        UtcMicros::from_seconds(1_700_000_000),
        Facts::new(Class::Access, action::API_REQUEST, Outcome::Granted),
    )
}

/// The folders of boots in `dir`.
fn folders(dir: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<_> = std::fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    folders
}

/// What a collector has stored: the bodies in their order, without repetitions.
struct Log {
    consumer: Consumer,
    bodies: Vec<Bytes>,
    events: Vec<Event>,
}

impl Log {
    fn of(bus: &Bus) -> Self {
        Self {
            consumer: Transport::InProcess(bus.clone()).consumer(1000),
            bodies: Vec::new(),
            events: Vec::new(),
        }
    }

    async fn receive(&mut self) -> Vec<Delivery> {
        let receiving = self.consumer.receive(100, Duration::ZERO);
        within("a delivery", receiving).await.unwrap()
    }

    async fn store(&mut self, deliveries: Vec<Delivery>) {
        let mut receipts = Vec::new();
        for delivery in deliveries {
            assert_eq!(delivery.publisher.as_deref(), Some(SERVICE));
            let event = wire::decode(&delivery.body).unwrap();
            if !self.events.iter().any(|known| known.id == event.id) {
                self.events.push(event);
                self.bodies.push(delivery.body);
            }
            receipts.push(delivery.receipt);
        }
        self.consumer.acknowledge(receipts).await.unwrap();
    }

    /// Stores until an event of `source` with that action has come.
    async fn until(&mut self, source: &Source, name: &str) {
        while !self
            .events
            .iter()
            .any(|event| event.source == *source && event.facts.action == name)
        {
            let deliveries = self.receive().await;
            self.store(deliveries).await;
        }
    }

    /// Stores until so many events of `source` have come.
    async fn until_count(&mut self, source: &Source, count: usize) {
        while self.of_source(source).len() < count {
            let deliveries = self.receive().await;
            self.store(deliveries).await;
        }
    }

    fn of_source(&self, source: &Source) -> Vec<&Event> {
        self.events
            .iter()
            .filter(|event| event.source == *source)
            .collect()
    }

    /// The numbers of `source` in the order in which they came.
    fn numbers(&self, source: &Source) -> Vec<u64> {
        self.of_source(source).iter().map(|event| event.seq).collect()
    }
}

/// A spool directory as a crash leaves it: a copy of what is on disk, with no process that holds it.
fn crash_image(dir: &Path) -> TempDir {
    let image = tempfile::tempdir().unwrap();
    for folder in folders(dir) {
        let copy = image.path().join(folder.file_name().unwrap());
        std::fs::create_dir(&copy).unwrap();
        for name in ["lock", "spool.db", "spool.db-wal"] {
            // What a process shares by memory is gone with it, so that `-shm` is left out.
            if folder.join(name).exists() {
                std::fs::copy(folder.join(name), copy.join(name)).unwrap();
            }
        }
    }
    image
}
