//! Behaviour of auth-service as its clients, its database and its broker see it, on SQLite and on PostgreSQL.
#![cfg(test)]

mod admin;
mod api_keys;
mod authlib;
mod binary;
mod blocks;
mod browser;
mod client_assertion;
mod client_credentials;
mod client_harness;
mod clients;
mod code_flow;
mod databases;
mod enforcement;
mod harness;
mod hosted_page;
mod http_surface;
mod introspection;
mod login;
mod metadata;
mod metrics;
mod openapi;
mod outbox;
mod password;
mod process;
mod refresh;
mod refresh_reuse;
mod revocation;
mod roles;
mod sessions;
mod setup;
mod signing_key;
mod throttle;
mod token_end_point;
mod users;
