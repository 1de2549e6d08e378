//! Gatelog as its users start it: the single process by its tour, the three services with real servers.
#![cfg(test)]

mod blocks;
mod broker_loss;
mod console;
mod demo;
mod gatelog;
mod intake;
mod layer;
mod metrics;
mod pipeline;
mod python;
mod readme;
mod reload;
mod responses;
mod revocation;
mod servers;
mod streams;
mod system;
mod tour;
mod traces;
