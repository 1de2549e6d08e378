//! The settings of passwords.

use std::path::PathBuf;

use shared::runtime::settings::{Reader, Setting};

use super::HashCost;

const HASH: Setting = Setting::new(
    "password_hash",
    "m=19456,t=2,p=1",
    "the cost of an Argon2id hash, one of OWASP's; those that cost otherwise are renewed when their users sign in",
);
const HASH_MEMORY_MIB: Setting = Setting::new(
    "password_hash_memory_mib",
    "128",
    "memory for hashing, in MiB: as many hashes run at a time as fit, one at least and one for each processor at most",
);
const BREACHED_FILE: Setting = Setting::without_default(
    "breached_passwords_file",
    "a file of SHA-1 hashes in order, as Have I Been Pwned offers it; no password of it can be set",
);

/// How passwords are hashed and what they must not be.
#[derive(Clone, Debug)]
pub struct PasswordSettings {
    /// The cost of new hashes.
    pub cost: HashCost,
    /// Memory for hashing, in MiB.
    pub memory_mib: u32,
    /// Passwords known from breaches.
    pub breached_file: Option<PathBuf>,
}

impl Default for PasswordSettings {
    fn default() -> Self {
        Self {
            cost: HashCost::default(),
            memory_mib: 128,
            breached_file: None,
        }
    }
}

impl PasswordSettings {
    /// Every one of them.
    pub(crate) const SETTINGS: [Setting; 3] = [HASH, HASH_MEMORY_MIB, BREACHED_FILE];

    pub(crate) fn read(reader: &mut Reader) -> Option<Self> {
        let cost = reader.value(&HASH);
        let memory_mib = reader.value(&HASH_MEMORY_MIB);
        let breached_file = reader.optional::<PathBuf>(&BREACHED_FILE);
        Some(Self {
            cost: cost?,
            memory_mib: memory_mib?,
            breached_file: breached_file?,
        })
    }
}
