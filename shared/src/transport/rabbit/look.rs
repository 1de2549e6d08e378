//! A look at a broker that makes nothing there: what exists under our names, and as far as its user may see, how.

use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::FieldTable;
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};
use tokio::time::timeout;

use super::declare::{collector_queue, durable_exchange, durable_queue, quorum_queue};
use super::{Broker, CONNECT_TIMEOUT, short};

/// One exchange or queue of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its name on the broker.
    pub name: String,
    /// Whether it is a queue, and how many messages wait in it.
    pub messages: Option<u32>,
    /// What was seen of it.
    pub state: PartState,
}

/// What can be seen of an exchange or a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartState {
    /// It is not there.
    Missing,
    /// It is there, and this user may not change it, nor see how it was declared.
    Foreign,
    /// It is as we declare it, and this user could have declared it.
    Own,
    /// It is there and was declared otherwise than we do.
    Different,
}

impl Broker {
    /// Connects as the user of the address and looks for every exchange and queue that all services share.
    pub async fn look(&self) -> Result<Vec<Part>, lapin::Error> {
        let timed_out = |_| lapin::Error::from(std::io::Error::from(std::io::ErrorKind::TimedOut));
        timeout(CONNECT_TIMEOUT, self.look_at_all())
            .await
            .map_err(timed_out)?
    }

    async fn look_at_all(&self) -> Result<Vec<Part>, lapin::Error> {
        let connection = self.connect().await?;
        let topology = &self.topology;
        let mut parts = Vec::new();
        for (name, kind) in [
            (topology.events_exchange(), ExchangeKind::Topic),
            (topology.control_exchange(), ExchangeKind::Topic),
            (topology.dead(), ExchangeKind::Fanout),
        ] {
            parts.push(exchange(&connection, name, kind).await?);
        }
        for (name, arguments) in [
            (topology.collector_queue(), collector_queue(topology)),
            (topology.dead(), quorum_queue()),
        ] {
            parts.push(queue(&connection, name, arguments).await?);
        }
        connection.close(200, "looked".into()).await?;
        Ok(parts)
    }
}

async fn exchange(connection: &Connection, name: String, kind: ExchangeKind) -> Result<Part, lapin::Error> {
    let declare = async |is_passive: bool| {
        let mut options = durable_exchange();
        options.passive = is_passive;
        let channel = connection.create_channel().await?;
        let declared = channel.exchange_declare(short(&name), kind.clone(), options, FieldTable::default());
        settled(&channel, declared.await).await
    };
    let state = match declare(true).await? {
        Err(state) => state,
        Ok(()) => declare(false).await?.err().unwrap_or(PartState::Own),
    };
    Ok(Part {
        name,
        messages: None,
        state,
    })
}

async fn queue(connection: &Connection, name: String, arguments: FieldTable) -> Result<Part, lapin::Error> {
    let declare = async |is_passive: bool| {
        let mut options = durable_queue();
        options.passive = is_passive;
        let channel = connection.create_channel().await?;
        let declared = channel
            .queue_declare(short(&name), options, arguments.clone())
            .await;
        settled(&channel, declared.map(|queue| queue.message_count())).await
    };
    let (messages, state) = match declare(true).await? {
        Err(state) => (0, state),
        // It is there, so that declaring it makes nothing: the broker compares, for whoever may.
        Ok(messages) => (messages, declare(false).await?.err().unwrap_or(PartState::Own)),
    };
    Ok(Part {
        name,
        messages: Some(messages),
        state,
    })
}

/// What the answer of the broker says; `Err` if it closed the channel with it, and an error for anything else.
async fn settled<T>(
    channel: &Channel,
    declared: Result<T, lapin::Error>,
) -> Result<Result<T, PartState>, lapin::Error> {
    let error = match declared {
        Ok(declared) => {
            channel.close(200, "looked".into()).await?;
            return Ok(Ok(declared));
        }
        Err(error) => error,
    };
    let state = match error.kind() {
        ErrorKind::ProtocolError(refused) => match refused.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::NOTFOUND) => PartState::Missing,
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => PartState::Foreign,
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => PartState::Different,
            _ => return Err(error),
        },
        _ => return Err(error),
    };
    Ok(Err(state))
}
