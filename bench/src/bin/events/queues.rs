//! What a kind of queue and the number of events in a message cost the broker: published with confirms, consumed with
//! `multiple` acknowledgements, nothing else.

use std::time::Instant;

use bench::Outcome;
use bench::statistics::count;
use futures_util::StreamExt as _;
use futures_util::future::try_join_all;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};
use shared::event::batch;
use shared::runtime::cli::say;

use crate::prepared::Prepared;
use crate::servers::Servers;

/// Messages on their way to the broker.
const WINDOW: usize = 256;

/// Measures every combination with so many events.
pub(crate) async fn measure(servers: &Servers, events: u64) -> Outcome<()> {
    say(&format!("\n## Queues: {events} events published and consumed\n"));
    say("| queue | events in a message | events a second | broker CPU µs an event |");
    say("|---|---|---|---|");
    let connection = Connection::connect(&servers.broker_admin_url, ConnectionProperties::default()).await?;
    for kind in ["quorum", "classic", "stream"] {
        for together in [1, 16, 128] {
            // One event a message is so slow that fewer tell as much.
            let events = if together == 1 { events / 4 } else { events };
            let messages = messages(events, together)?;
            let channel = connection.create_channel().await?;
            let name = ShortString::try_new(format!("bench.{kind}{together}"))?;
            declare(&channel, &name, kind).await?;
            let (began, cpu) = (Instant::now(), servers.broker_cpu()?);
            let consuming = consume(&connection, &name, kind, messages.len());
            tokio::try_join!(publish(&channel, &name, &messages), consuming)?;
            let cpu = servers.broker_cpu()?.saturating_sub(cpu);
            say(&format!(
                "| {kind} | {together} | {:.0} | {:.1} |",
                count(events) / began.elapsed().as_secs_f64(),
                cpu.as_secs_f64() * 1e6 / count(events),
            ));
            channel.queue_delete(name, QueueDeleteOptions::default()).await?;
        }
    }
    Ok(())
}

fn messages(events: u64, together: usize) -> Outcome<Vec<Vec<u8>>> {
    let mut prepared = Prepared::new()?;
    let events: Vec<_> = (0..events).map(|_| prepared.next()).collect::<Outcome<_>>()?;
    let joined = events
        .chunks(together)
        .map(|some| batch::join(some.iter().map(|event| event.body.as_ref())));
    Ok(joined.collect())
}

async fn declare(channel: &Channel, name: &ShortString, kind: &str) -> Outcome<()> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), AMQPValue::LongString(kind.into()));
    let options = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    channel.queue_declare(name.clone(), options, arguments).await?;
    Ok(())
}

async fn publish(channel: &Channel, name: &ShortString, messages: &[Vec<u8>]) -> Outcome<()> {
    channel.confirm_select(ConfirmSelectOptions::default()).await?;
    let properties = BasicProperties::default().with_delivery_mode(2);
    for window in messages.chunks(WINDOW) {
        let publishing = window.iter().map(|body| {
            let options = BasicPublishOptions::default();
            channel.basic_publish("".into(), name.clone(), options, body, properties.clone())
        });
        try_join_all(try_join_all(publishing).await?).await?;
    }
    Ok(())
}

async fn consume(connection: &Connection, name: &ShortString, kind: &str, messages: usize) -> Outcome<()> {
    let channel = connection.create_channel().await?;
    channel.basic_qos(512, BasicQosOptions::default()).await?;
    let mut arguments = FieldTable::default();
    if kind == "stream" {
        arguments.insert("x-stream-offset".into(), AMQPValue::LongString("first".into()));
    }
    let options = BasicConsumeOptions::default();
    let mut consumer = channel
        .basic_consume(name.clone(), "".into(), options, arguments)
        .await?;
    let multiple = BasicAckOptions { multiple: true };
    for number in 1..=messages {
        let message = consumer.next().await.ok_or("the consumer ended")??;
        if number % 64 == 0 || number == messages {
            channel.basic_ack(message.delivery_tag, multiple).await?;
        }
    }
    Ok(())
}
