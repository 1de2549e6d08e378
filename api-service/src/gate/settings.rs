//! What a gate needs.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;
use shared::clock::SharedClock;
use shared::runtime::common::ProcessSettings;
use shared::transport::Transport;

use crate::access_log::AccessLog;
use crate::policy::Policy;

/// What a gate needs, whatever door stands before it.
#[derive(Debug)]
pub struct GateSettings {
    /// The service that its events come from; on the broker, the user of that name.
    pub service: &'static str,
    /// Where auth-service is reached.
    pub auth_url: String,
    /// Who may do what.
    pub policy: Policy,
    /// How events travel.
    pub transport: Transport,
    /// The folder for events on their way.
    pub spool_dir: PathBuf,
    /// Bytes of events that may wait there.
    pub spool_max_bytes: u64,
    /// The folder for copies of the key sets of issuers; none are kept without it.
    pub keys_dir: Option<PathBuf>,
    /// Bytes of verified tokens that are remembered; none if zero.
    pub token_cache_bytes: u64,
    /// How long revocations may be unheard of before tokens are refused.
    pub blind_max: Duration,
    /// The secret that services show each other.
    pub service_token: SecretString,
    /// What every process needs.
    pub process: ProcessSettings,
    /// Where a line for every request goes, beside its event.
    pub access_log: AccessLog,
    /// The clock.
    pub clock: SharedClock,
}
