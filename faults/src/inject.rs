//! Does a fault and takes it back. What ends by a fault is started again by its supervisor; the runner mends nothing else.

use std::time::Duration;

use fastrand::Rng;
use futures_util::future::try_join_all;
use tokio::sync::Mutex;
use tokio::time::sleep;

use crate::Outcome;
use crate::broker::Node;
use crate::deployment::{Deployment, Service};
use crate::fault::Fault;
use crate::http::HttpClient;
use crate::plan::Injection;
use crate::process::Process;
use crate::proxy::{Link, Mode};
use crate::shell::{eventually, signal};

/// How long a door's spool may wait to be adopted: a door looks every thirty seconds, and may have to wait for a broker.
const ADOPTED_MAX: Duration = Duration::from_mins(5);

/// How long SQLite may go on in the blocks that it has: at the default rate ten seconds.
const FULL_MAX: Duration = Duration::from_mins(5);

/// Whether a door's spool takes nothing.
const SPOOL_FAILING: &str = "gatelog_door_spool_failing";

/// What two faults must not do to one thing at the same time. Faults of different things overlap.
#[derive(Debug, Default)]
pub struct Turns {
    /// Whether only one kind of fault happens, which must then have something to break.
    is_alone: bool,
    broker: Mutex<()>,
    database: Mutex<()>,
    services: Mutex<()>,
    links: Mutex<()>,
    spool_disk: Mutex<()>,
}

impl Turns {
    /// For a run with these kinds of faults.
    pub fn among(faults: &[Fault]) -> Self {
        Self {
            is_alone: faults.len() == 1,
            ..Self::default()
        }
    }
}

/// Does one injection and returns when it is over.
pub async fn inject(deployment: &Deployment, turns: &Turns, injection: &Injection) -> Outcome<()> {
    let injector = Injector {
        deployment,
        turns,
        lasting: injection.lasting,
        rng: Rng::with_seed(injection.seed),
    };
    injector.inject(injection.fault).await
}

struct Injector<'d> {
    deployment: &'d Deployment,
    turns: &'d Turns,
    lasting: Duration,
    rng: Rng,
}

impl<'d> Injector<'d> {
    async fn inject(mut self, fault: Fault) -> Outcome<()> {
        match fault {
            Fault::DoorKilled | Fault::AuthKilled | Fault::CollectorKilled | Fault::CollectorsKilled => {
                self.kill_services(fault).await
            }
            Fault::DoorFrozen | Fault::AuthFrozen | Fault::CollectorFrozen => {
                self.freeze_service(fault).await
            }
            Fault::BrokerKilled
            | Fault::BrokerRestarted
            | Fault::BrokerAppStopped
            | Fault::BrokerFrozen
            | Fault::NodeKilled
            | Fault::LeaderKilled
            | Fault::LeaderFrozen
            | Fault::NodeParted => self.break_broker(fault).await,
            Fault::QueueDeleted => self.delete_queue().await,
            Fault::QueueUnbound | Fault::ExchangeDeleted => self.break_topology(fault).await,
            Fault::DatabaseCrashed | Fault::DatabaseFrozen => self.break_database(fault).await,
            Fault::LinkCut => self.disturb(Mode::Cut).await,
            Fault::LinkTruncated => self.disturb(Mode::Truncating).await,
            Fault::LinkDelayed => {
                let delay = Duration::from_millis(self.rng.u64(20..400));
                self.disturb(Mode::Delaying(delay)).await
            }
            Fault::LinkBlackHoled => self.disturb(Mode::BlackHole).await,
            Fault::LinkThrottled => {
                let bytes_per_second = self.rng.u32(2_000..20_000);
                self.disturb(Mode::Throttled(bytes_per_second)).await
            }
            Fault::SpoolDiskFull => self.fill_disk().await,
            Fault::SpoolAbandoned => self.abandon_spool().await,
        }
    }

    async fn kill_services(&mut self, fault: Fault) -> Outcome<()> {
        let _turn = self.turns.services.lock().await;
        let Deployment {
            doors,
            auth,
            collectors,
            ..
        } = self.deployment;
        match fault {
            Fault::DoorKilled => choose(&mut self.rng, doors)?.process.kill().await,
            Fault::AuthKilled => auth.process.kill().await,
            Fault::CollectorKilled => choose(&mut self.rng, collectors)?.process.kill().await,
            _ => {
                for collector in collectors {
                    collector.process.kill().await?;
                }
                Ok(())
            }
        }
    }

    async fn freeze_service(&mut self, fault: Fault) -> Outcome<()> {
        let _turn = self.turns.services.lock().await;
        let service = match fault {
            Fault::DoorFrozen => choose(&mut self.rng, &self.deployment.doors)?,
            Fault::AuthFrozen => &self.deployment.auth,
            _ => choose(&mut self.rng, &self.deployment.collectors)?,
        };
        self.freeze(&service.process).await
    }

    async fn freeze(&self, process: &Process) -> Outcome<()> {
        process.signal("STOP").await?;
        sleep(self.lasting).await;
        process.signal("CONT").await
    }

    async fn break_broker(&mut self, fault: Fault) -> Outcome<()> {
        let _turn = self.turns.broker.lock().await;
        let broker = &self.deployment.broker;
        let node = self.node(fault).await?;
        match fault {
            Fault::BrokerRestarted => {
                node.process.terminate().await?;
                sleep(self.lasting).await;
            }
            Fault::BrokerAppStopped => {
                node.control(broker, &["stop_app"]).await?;
                sleep(self.lasting).await;
                node.control(broker, &["start_app"]).await?;
            }
            Fault::BrokerFrozen | Fault::LeaderFrozen => self.freeze(&node.process).await?,
            Fault::NodeParted => {
                node.part(broker).await?;
                sleep(self.lasting).await;
                node.meet(broker).await?;
            }
            _ => node.process.kill().await?,
        }
        broker.until_all_open().await
    }

    /// The node that a fault hits.
    async fn node(&mut self, fault: Fault) -> Outcome<&'d Node> {
        let deployment = self.deployment;
        let broker = &deployment.broker;
        let leads = match fault {
            Fault::NodeKilled => false,
            Fault::LeaderKilled | Fault::LeaderFrozen => true,
            _ => return choose(&mut self.rng, broker.nodes()),
        };
        let leader = broker.leader_of(&deployment.queue()).await?;
        let nodes = broker.nodes().iter();
        let fitting: Vec<_> = nodes.filter(|node| (node.port == leader.port) == leads).collect();
        choose(&mut self.rng, &fitting).copied()
    }

    async fn break_topology(&self, fault: Fault) -> Outcome<()> {
        let _turn = self.turns.broker.lock().await;
        let broker = &self.deployment.broker;
        let (queue, exchange) = (self.deployment.queue(), self.deployment.exchange());
        match fault {
            Fault::QueueUnbound => broker.unbind(&queue, &exchange, "#").await,
            _ => broker.delete_exchange(&exchange).await,
        }
    }

    /// Keeps the collectors from the broker for a while, and deletes the queue with what has come meanwhile.
    async fn delete_queue(&self) -> Outcome<()> {
        let _turn = (self.turns.links.lock().await, self.turns.broker.lock().await);
        let links = self.links_of(&self.deployment.collectors);
        set_all(&links, Mode::Cut);
        sleep(self.lasting).await;
        let deleted = self
            .deployment
            .broker
            .delete_queue(&self.deployment.queue())
            .await;
        set_all(&links, Mode::Open);
        match deleted? {
            // Among other faults nobody may have sent anything, or the broker may not know what it deletes.
            0 if self.turns.is_alone => Err("nothing was in the queue".into()),
            _ => Ok(()),
        }
    }

    async fn break_database(&self, fault: Fault) -> Outcome<()> {
        let _turn = self.turns.database.lock().await;
        let postgres = &self.deployment.postgres;
        if fault == Fault::DatabaseCrashed {
            postgres.crash().await?;
            sleep(self.lasting).await;
            return postgres.start().await;
        }
        let processes = postgres.freeze().await?;
        sleep(self.lasting).await;
        signal("CONT", &processes).await
    }

    /// One link, or now and then all of them at once.
    async fn disturb(&mut self, mode: Mode) -> Outcome<()> {
        let _turn = self.turns.links.lock().await;
        let mut hit: Vec<_> = self.deployment.links.iter().collect();
        if self.rng.u8(0..4) > 0 {
            hit = vec![*choose(&mut self.rng, &hit)?];
        }
        set_all(&hit, mode);
        sleep(self.lasting).await;
        set_all(&hit, Mode::Open);
        Ok(())
    }

    /// The doors lose sight of the broker and their disk fills, until they find out: SQLite goes on for a while in the blocks
    /// that it has.
    async fn fill_disk(&self) -> Outcome<()> {
        // A door that is started anew meanwhile would have no limit.
        let _turn = (
            self.turns.links.lock().await,
            self.turns.services.lock().await,
            self.turns.spool_disk.lock().await,
        );
        let Deployment {
            doors, spool_disk, ..
        } = self.deployment;
        // One that was just killed could not start on a full disk, and would say nothing of it.
        self.of_each_door("the doors are up", |_| true).await?;
        let writers: Vec<_> = doors.iter().filter_map(|door| door.process.id()).collect();
        let links = self.links_of(doors);
        set_all(&links, Mode::Cut);
        spool_disk.fill(&writers).await?;
        let found_out = self
            .of_each_door("the doors find the disk full", |failing| failing > 0.0)
            .await;
        sleep(self.lasting).await;
        spool_disk.free(&writers).await?;
        set_all(&links, Mode::Open);
        found_out
    }

    fn links_of(&self, services: &[Service]) -> Vec<&'d Link> {
        let links = self.deployment.links.iter();
        links
            .filter(|link| services.iter().any(|service| link.is_of(&service.process.name)))
            .collect()
    }

    /// Waits until every door says of its spool's failing what is expected.
    async fn of_each_door(&self, what: &str, is_expected: impl Fn(f64) -> bool) -> Outcome<()> {
        let (doors, client) = (&self.deployment.doors, HttpClient::new()?);
        eventually(what, FULL_MAX, async || {
            let gauges = doors.iter().map(|door| door.gauge(&client, SPOOL_FAILING));
            let failing = try_join_all(gauges).await?;
            Ok(failing.into_iter().all(&is_expected).then_some(()))
        })
        .await
    }

    /// The last door loses sight of the broker, so that its spool fills, and dies. Another one must send what it left.
    async fn abandon_spool(&self) -> Outcome<()> {
        // What is adopted leaves over the broker.
        let _turn = (
            self.turns.links.lock().await,
            self.turns.services.lock().await,
            self.turns.broker.lock().await,
        );
        let Deployment {
            doors,
            links,
            spool_disk,
            ..
        } = self.deployment;
        let door = &doors.last().ok_or("no door")?.process;
        let link = links.iter().find(|link| link.is_of(&door.name));
        let link = link.ok_or("no link")?;
        link.set(Mode::BlackHole);
        sleep(self.lasting).await;
        door.keep_down().await?;
        link.set(Mode::Open);
        let what = "the spool of a door that is gone is adopted";
        let others = doors.len() - 1;
        let adopted = eventually(what, ADOPTED_MAX, async || {
            Ok((spool_disk.boots()? == others).then_some(()))
        })
        .await;
        door.want();
        adopted
    }
}

fn set_all(links: &[&Link], mode: Mode) {
    for link in links {
        link.set(mode);
    }
}

fn choose<'c, T>(rng: &mut Rng, choices: &'c [T]) -> Outcome<&'c T> {
    Ok(choices
        .get(rng.usize(0..choices.len()))
        .ok_or("nothing to choose from")?)
}
