//! A look at the broker: what is there, whose it is, and how it was declared, without making anything.

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use shared::transport::{Part, PartState, Transport, Word};

use super::{COLLECTOR, Rig};
use crate::support::within;

async fn look(rig: &Rig, user: &str) -> Vec<Part> {
    let Transport::Rabbit(broker) = rig.transport(user) else {
        unreachable!()
    };
    within("a look", broker.look()).await.unwrap()
}

fn states(parts: &[Part]) -> Vec<PartState> {
    parts.iter().map(|part| part.state).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_looks_sees_what_is_missing_foreign_own_or_different_and_makes_nothing() {
    use PartState::{Different, Foreign, Missing, Own};
    let Some(rig) = Rig::find() else { return };

    assert_eq!(states(&look(&rig, "auth-service").await), [Missing; 5]);
    assert_eq!(
        states(&look(&rig, COLLECTOR).await),
        [Missing; 5],
        "the first look made nothing"
    );
    let consumer = rig.consumer(10).await;
    let mut announcer = rig.transport("auth-service").announcer(Word::Enforcement);
    within("a word", announcer.announce(b"word".to_vec()))
        .await
        .unwrap();

    let seen = look(&rig, "auth-service").await;
    assert_eq!(states(&seen), [Foreign, Own, Foreign, Foreign, Foreign]);
    assert_eq!(seen[3].name, rig.topology.collector_queue());
    assert_eq!(seen[3].messages, Some(0));
    assert_eq!(states(&look(&rig, COLLECTOR).await), [Own; 5]);

    drop(consumer);
    let (_connection, channel) = rig.raw(COLLECTOR).await;
    let queue = rig.topology.collector_queue();
    let delete = QueueDeleteOptions::default();
    within("a deletion", channel.queue_delete(queue.as_str().into(), delete))
        .await
        .unwrap();
    let durable = QueueDeclareOptions {
        durable: true,
        ..QueueDeclareOptions::default()
    };
    let declaring = channel.queue_declare(queue.as_str().into(), durable, FieldTable::default());
    within("a classic queue", declaring).await.unwrap();
    assert_eq!(
        states(&look(&rig, COLLECTOR).await),
        [Own, Own, Own, Different, Own]
    );
    rig.remove().await;
}
