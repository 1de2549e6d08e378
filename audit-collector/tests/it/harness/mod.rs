//! What the tests share: servers, databases, events, and a collector's HTTP side.

pub(crate) mod api;
pub(crate) mod broker;
pub(crate) mod counting;
pub(crate) mod database;
pub(crate) mod detecting;
pub(crate) mod events;
pub(crate) mod hostile;
pub(crate) mod intake;
pub(crate) mod mail;
pub(crate) mod places;

use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long a condition may take. Generous, since machines of CI are slow.
const DEADLINE: Duration = Duration::from_secs(30);

/// The value of a test variable. Without it the test is skipped, or fails where servers are required.
#[expect(
    clippy::disallowed_methods,
    reason = "tests find their servers by the environment"
)]
pub(crate) fn server_variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok();
    if value.is_none() {
        let required = std::env::var_os("GATELOG_TEST_REQUIRE_SERVERS").is_some();
        assert!(!required, "{name} is not set");
        println!("SKIPPED: {name} is not set");
    }
    value
}

/// Waits until `condition` gives a value.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut condition: impl FnMut() -> F,
) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = condition().await {
            return value;
        }
        assert!(Instant::now() < deadline, "still not so: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// Runs behaviour tests, which are functions that take a `&TestDatabase`, on both databases.
macro_rules! on_both_databases {
    ($($name:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let database = $crate::harness::database::TestDatabase::sqlite();
                super::$name(&database).await;
            })+
        }

        mod postgres {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $name() {
                let Some(database) = $crate::harness::database::TestDatabase::postgres().await else {
                    return;
                };
                super::$name(&database).await;
                database.remove().await;
            })+
        }
    };
}
