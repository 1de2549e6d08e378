//! The name of this instance among the replicas of its service.

use crate::event::wire::is_instance_name;

/// An instance name: letters, digits, `.`, `_` and `-`, at most 128.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceName(String);

/// Not an instance name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an instance name has 1 to 128 letters, digits, `.`, `_` or `-`")]
pub struct InvalidInstanceName;

impl std::str::FromStr for InstanceName {
    type Err = InvalidInstanceName;

    fn from_str(text: &str) -> Result<Self, InvalidInstanceName> {
        if is_instance_name(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidInstanceName)
        }
    }
}

impl InstanceName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The host's name, which is the container's id in a container; `local` where it cannot be told.
    pub fn of_host() -> Self {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        host.trim()
            .parse()
            .unwrap_or_else(|InvalidInstanceName| Self("local".to_owned()))
    }
}
