//! Behaviour of auth-service as its clients, its database and its broker see it, on SQLite and on PostgreSQL.
#![cfg(test)]

mod admin;
mod binary;
mod databases;
mod enforcement;
mod harness;
mod http_surface;
mod login;
mod metrics;
mod openapi;
mod outbox;
mod refresh;
mod refresh_reuse;
mod roles;
mod sessions;
mod setup;
mod signing_key;
mod throttle;
mod token_end_point;
mod users;
