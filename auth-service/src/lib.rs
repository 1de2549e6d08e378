#![doc = include_str!("../README.md")]

mod api_key;
mod app;
mod block;
mod client;
pub mod command;
mod enforcement;
mod error;
mod health;
mod master_key;
mod metadata;
mod metrics;
mod one_time_token;
mod openapi;
mod outbox;
mod password;
mod request;
mod role;
mod schema;
mod secret;
mod secret_file;
mod service;
mod session;
pub mod settings;
mod setup;
mod sign_in;
mod signing_key;
mod throttle;
mod token;
mod upkeep;
mod user;

pub use service::{Service, new_setup_token, run};

/// The service's name, in events and on the broker.
pub const SERVICE: &str = "auth-service";
