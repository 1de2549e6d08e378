//! Secrets at rest: keys that are derived from one master key for one purpose each, and what is sealed with them.

mod master_key;
mod seal;

pub use master_key::{InvalidMasterKey, MasterKey, Underivable};
pub use seal::{Seal, Unsealable, WrongMasterKey};
