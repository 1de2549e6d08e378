//! What can be broken.

use std::fmt;

use clap::ValueEnum;

/// A kind of fault. Where several things can be hit by it, the seed chooses which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Fault {
    /// `kill -9` of a door.
    DoorKilled,
    /// `kill -9` of auth-service.
    AuthKilled,
    /// `kill -9` of a collector.
    CollectorKilled,
    /// `kill -9` of the broker.
    BrokerKilled,
    /// The broker is ended in order and started again.
    BrokerRestarted,
    /// `rabbitmqctl stop_app`, then `start_app`: the node lives, its queues are closed.
    BrokerAppStopped,
    /// PostgreSQL is stopped in `immediate` mode, as a crash does, and started again.
    DatabaseCrashed,
    /// SIGSTOP and SIGCONT of a door.
    DoorFrozen,
    /// SIGSTOP and SIGCONT of auth-service.
    AuthFrozen,
    /// SIGSTOP and SIGCONT of a collector.
    CollectorFrozen,
    /// SIGSTOP and SIGCONT of the broker.
    BrokerFrozen,
    /// SIGSTOP and SIGCONT of PostgreSQL with all its back ends.
    DatabaseFrozen,
    /// A connection to the broker or the database is reset, and new ones are refused for a while.
    LinkCut,
    /// A connection breaks off within a frame or message.
    LinkTruncated,
    /// What crosses a connection is late.
    LinkDelayed,
    /// What is sent into a connection vanishes, in both directions, and nobody is told.
    LinkBlackHoled,
    /// A connection carries a few kilobytes a second.
    LinkThrottled,
    /// The disk under the spool of the doors is full.
    SpoolDiskFull,
    /// The collectors' queue is deleted, with what a few seconds have left in it.
    QueueDeleted,
    /// The collectors' queue is unbound from the exchange.
    QueueUnbound,
    /// The exchange of events is deleted.
    ExchangeDeleted,
    /// A door dies with events in its spool and stays away; another door that shares the folder must adopt them.
    SpoolAbandoned,
    /// Both collectors die at once.
    CollectorsKilled,
    /// `kill -9` of a node of the cluster that does not lead the collectors' queue.
    NodeKilled,
    /// `kill -9` of the node that leads the collectors' queue.
    LeaderKilled,
    /// SIGSTOP and SIGCONT of the node that leads the collectors' queue.
    LeaderFrozen,
    /// A node is parted from the other two, and met again.
    NodeParted,
}

impl Fault {
    /// Whether it needs a broker of three nodes; the others run on one.
    pub const fn needs_cluster(self) -> bool {
        matches!(
            self,
            Self::NodeKilled | Self::LeaderKilled | Self::LeaderFrozen | Self::NodeParted
        )
    }

    /// Every kind.
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.to_possible_value();
        formatter.write_str(name.as_ref().map_or("?", |value| value.get_name()))
    }
}
