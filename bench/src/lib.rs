//! What the benches share: a client that costs little, a load, processes and what they cost, and medians.
//!
//! A bench measures a service from outside, as a process of its own, and beside a baseline of the same run: absolute
//! figures say more about the machine than about the program.

pub mod http;
pub mod load;
pub mod process;
pub mod statistics;

/// What goes wrong ends the run.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
