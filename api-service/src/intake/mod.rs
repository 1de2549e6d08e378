//! `POST /v1/intake`: other services report the requests that they answered, and their reports are kept as the door's own
//! events are: numbered and on the disk before the reporter has its answer.
//!
//! A report is somebody's word. Its event is an action of its own, its actor is `claimed`, and its reporter is whose token
//! came with it, so that none passes for what a door saw itself.

mod batch;
mod entry;
pub(crate) mod handler;
mod refusal;

pub(crate) use handler::take;
