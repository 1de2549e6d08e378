//! Messages to other programs over HTTP, signed as Standard Webhooks has it, for whoever has something to tell.

mod address;
mod send;
mod sign;

pub use address::{Address, InvalidAddress};
pub use send::{WebhookError, send, send_unsigned};
pub use sign::{InvalidSecret, Secret};
