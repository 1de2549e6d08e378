#![doc = include_str!("../README.md")]

mod api_key;
mod app;
mod authorize;
mod block;
mod browser_session;
mod client;
pub mod command;
mod consent;
mod doctor;
mod enforcement;
mod error;
mod health;
mod hosted_page;
mod metadata;
mod metrics;
mod one_time_token;
mod openapi;
mod openid;
mod outbox;
mod password;
mod request;
mod role;
mod schema;
mod second_factor;
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

pub use service::{Service, new_responder_secret, new_setup_token, run};

/// The service's name, in events and on the broker.
pub const SERVICE: &str = "auth-service";
