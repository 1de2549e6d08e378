//! The settings of pseudonyms.

use std::sync::Arc;

use shared::runtime::settings::{Reader, Setting};
use shared::sealing::MasterKey;

use super::{Hidden, Pseudonyms};

const PSEUDONYMISE: Setting = Setting::new(
    "pseudonymise",
    "",
    "what events keep only pseudonyms of: `names`, `addresses` or both, separated by a comma (docs/pseudonyms.md)",
);
const KEYS: Setting = Setting::secret(
    "pseudonym_keys",
    "keys of 64 hexadecimal digits, separated by commas: the first makes pseudonyms, by the others what they hid is still known",
);

/// Keys at most: each is tried on what is sealed.
const KEYS_MAX: usize = 16;

/// Every setting, for the documentation.
pub const SETTINGS: [Setting; 2] = [PSEUDONYMISE, KEYS];

/// What makes pseudonyms, if the settings want any or have made some.
pub fn read_pseudonyms(reader: &mut Reader) -> Option<Option<Arc<Pseudonyms>>> {
    let hidden: Option<Vec<Hidden>> = reader.list(&PSEUDONYMISE);
    let keys: Option<Vec<MasterKey>> = reader.list(&KEYS);
    let (hidden, keys) = (hidden?, keys?);
    if keys.is_empty() && !hidden.is_empty() {
        reader.problem("pseudonymise needs pseudonym_keys: a line of `openssl rand -hex 32`");
        return None;
    }
    if keys.len() > KEYS_MAX {
        reader.problem(format!("pseudonym_keys are at most {KEYS_MAX}"));
        return None;
    }
    if keys.is_empty() {
        return Some(None);
    }
    match Pseudonyms::new(hidden, &keys) {
        Ok(pseudonyms) => Some(Some(Arc::new(pseudonyms))),
        Err(error) => {
            reader.problem(format!("pseudonym_keys: {error}"));
            None
        }
    }
}
