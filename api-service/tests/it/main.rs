//! The door as its clients and operators see it: a real listener, real sockets, an in-process transport.
#![cfg(test)]

mod access_log;
mod audit;
mod blindness;
mod caddy;
mod cors;
mod decisions;
mod envoy;
mod forward_auth;
mod fuzz_seeds;
mod harness;
mod inspect;
mod intake;
mod layer;
mod nginx;
mod openapi;
mod proxying;
mod rate_limits;
mod refusals;
mod reload;
mod settings;
mod smuggling;
mod streams;
mod timeouts;
mod tokens;
mod upstreams;
mod websocket;
