//! Waiting for conditions, with a deadline that a working program never reaches.

use std::time::Duration;

/// Long enough for a busy machine, short enough that a hanging test is told soon.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// How often a condition is looked at that cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(5);

/// What `future` gives, within the deadline.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future)
        .await
        .unwrap_or_else(|_| panic!("waited too long: {what}"))
}

/// Waits until `holds` does.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    within(what, async {
        while !holds() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    })
    .await;
}
