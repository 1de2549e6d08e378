//! Messages to other programs over HTTP, signed as Standard Webhooks has it, for whoever has something to tell.

mod send;
mod sign;

pub use send::{WebhookError, send};
pub use sign::{InvalidSecret, Secret};
