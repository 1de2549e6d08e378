//! A log that is put in order and asked about.

use audit_collector::event_log::EventLog;
use audit_collector::search::Parameters;
use audit_collector::sequencing;
use audit_collector::statistics::Question;
use shared::runtime::shutdown::CancellationToken;

use super::database::TestDatabase;
use super::events::NOW;
use super::eventually;

/// Puts everything in order that is stored.
pub(crate) async fn ordered(database: &TestDatabase, log: &EventLog) {
    let stop = CancellationToken::new();
    let leading = tokio::spawn(sequencing::run(log.clone(), stop.clone()));
    eventually("the log is in order", || async {
        let unordered = "SELECT COUNT(*) FROM batch WHERE first_position IS NULL";
        (database.number(unordered).await == 0).then_some(())
    })
    .await;
    stop.cancel();
    leading.await.unwrap();
}

/// What the answer to a question is.
pub(crate) async fn asked<Q: Question>(log: &EventLog, query: &str) -> Q::Answer {
    let question = Q::read(Parameters::parse(query).unwrap(), NOW).unwrap();
    log.ask(&question).await.unwrap()
}
