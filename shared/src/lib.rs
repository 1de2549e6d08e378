#![doc = include_str!("../README.md")]

pub mod clock;
pub mod enforcement;
pub mod event;
pub mod topology;

#[cfg(feature = "database")]
pub mod database;
#[cfg(feature = "http")]
pub mod guard;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "runtime")]
pub mod runtime;
#[cfg(feature = "sealing")]
pub mod sealing;
#[cfg(feature = "spool")]
pub mod spool;
#[cfg(feature = "token")]
pub mod token;
#[cfg(feature = "transport")]
pub mod transport;
