//! Answers about a policy without a request: what is wrong or surprising in it, what it does with a request, who gains and
//! who loses access by a change of it, which headers cross the door; and a policy's routes from a description of an API.

mod check;
mod diff;
mod explain;
mod import;
mod recorded;
mod sent_on;
mod trust;

pub use check::notes;
pub use diff::diff;
pub use explain::{Question, explain};
pub use import::{Destination, ImportError, import};
pub use sent_on::sent_on;

use crate::policy::Route;

/// How a route is named in what is told about it.
fn title(route: &Route) -> String {
    let host = route.host.as_deref().unwrap_or("the issuer's host");
    format!("{}  {} {} on {host}", route.name, route.method, route.template)
}
