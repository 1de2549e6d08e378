//! The door as its clients and operators see it: a real listener, real sockets, an in-process transport.
#![cfg(test)]

mod audit;
mod decisions;
mod harness;
mod inspect;
mod proxying;
mod rate_limits;
mod refusals;
mod reload;
mod settings;
mod smuggling;
mod tokens;
