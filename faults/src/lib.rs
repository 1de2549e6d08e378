//! Breaks a whole deployment on purpose, and checks that every answered request is one stored event.
//!
//! A run starts real servers and the real programs, puts a steady load on the doors, does its faults at times that a
//! seed decides, lets everything come to rest by itself, and compares what clients were told with what is stored. Two
//! records decide, neither of them the product's own: the clients' ledger of answers, and the numbers of the stored
//! events, which must have no gap. `scripts/faults` runs it.

pub mod broker;
pub mod database;
pub mod deployment;
pub mod fault;
pub mod http;
pub mod inject;
pub mod load;
pub mod plan;
pub mod process;
pub mod proxy;
pub mod report;
pub mod run;
pub mod settle;
pub mod shell;
pub mod spool_disk;
pub mod upstream;
pub mod verdict;

/// What goes wrong with the runner itself ends the run.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
