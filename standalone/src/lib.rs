//! All three services in one process, on SQLite, without a broker: what `cargo run` starts.

pub mod demo;
mod services;
pub mod settings;
pub mod tour;

pub use services::{Running, start};
