//! The door as its clients and operators see it: a real listener, real sockets, an in-process transport.
#![cfg(test)]

mod audit;
mod harness;
mod inspect;
mod proxying;
mod refusals;
mod reload;
mod settings;
mod tokens;
