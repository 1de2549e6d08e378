//! The tests of `shared`: the contract from outside, and everything that needs a server, a process or a socket.

#![cfg(test)]

mod event;
mod rabbit;
mod spool;
mod support;
mod token;
