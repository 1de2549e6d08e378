//! The keys that protect second factors in the database, each derived from the master key.

use std::fmt;

use aws_lc_rs::hmac::{self, HMAC_SHA256};
use zeroize::Zeroizing;

use super::recovery_code::RecoveryCode;
use crate::error::Internal;
use shared::sealing::Seal;
use shared::sealing::{MasterKey, Underivable};

/// What the keys are derived for. A change makes every factor unusable.
const SECRETS: &str = "gatelog second factors v1";
const RECOVERY_CODES: &str = "gatelog recovery codes v1";

/// Seals the secrets of authenticators, and hashes recovery codes.
pub(crate) struct FactorKeys {
    seal: Seal,
    recovery: hmac::Key,
}

impl FactorKeys {
    pub(crate) fn new(master_key: &MasterKey) -> Result<Self, Underivable> {
        let recovery = master_key.derive(RECOVERY_CODES)?;
        Ok(Self {
            seal: Seal::new(master_key, SECRETS)?,
            recovery: hmac::Key::new(HMAC_SHA256, recovery.as_slice()),
        })
    }

    /// A user's secret, to be kept.
    pub(super) fn close(&self, user_id: &str, secret: &[u8]) -> Result<Vec<u8>, Internal> {
        self.seal
            .close(user_id, secret)
            .map_err(|_| Internal::Unreadable("a second factor could not be sealed"))
    }

    /// A user's secret as it was kept.
    pub(super) fn open(&self, user_id: &str, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Internal> {
        self.seal
            .open(user_id, sealed)
            .map_err(|_| Internal::Unreadable("a second factor cannot be opened"))
    }

    /// What is kept of a user's recovery code. Without this key its 60 bits cannot be tried out.
    pub(super) fn hash(&self, user_id: &str, code: &RecoveryCode) -> Vec<u8> {
        let message = [user_id.as_bytes(), b"\0", code.letters().as_bytes()].concat();
        hmac::sign(&self.recovery, &message).as_ref().to_vec()
    }
}

impl fmt::Debug for FactorKeys {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FactorKeys(…)")
    }
}
