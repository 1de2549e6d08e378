//! What retention removes of alerts.

mod store;

pub(super) use store::{count_alerts, remove_alerts};
