//! The tests of `shared`: the contract from outside, and everything that needs a server, a process or a socket.

#![cfg(test)]

mod event;
mod fuzz_seeds;
mod keys;
mod layering;
mod rabbit;
mod serve;
mod spool;
mod support;
mod token;
