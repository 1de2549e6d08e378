//! Who may read the log, and that every read and every refused one is itself an event.

mod auditor;
mod body;
mod extract;
mod operator;
mod request;
pub(crate) mod scope;

pub(crate) use auditor::Auditor;
pub(crate) use body::{IfMatch, JsonBody, check_text, etag, is_text};
pub(crate) use operator::Operator;
pub(crate) use request::{RequestFacts, note_request};
pub(crate) use scope::{Permitted, SCOPES};
