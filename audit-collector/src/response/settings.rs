//! The settings of responses.

use secrecy::SecretString;
use shared::runtime::settings::{Reader, SecretText, Setting};

use super::auth::Credentials;
use super::order::Spare;

const CLIENT: Setting = Setting::without_default(
    "responder_client",
    "the id of a client with the scope `enforcement:write`, by which responses are ordered of auth-service; without it there are none",
);
const SECRET: Setting = Setting::secret("responder_secret", "that client's secret; needed with it");
const SPARED: Setting = Setting::new(
    "responses_spared",
    "",
    "addresses, networks, users and clients, separated by commas, that no response touches",
);
const RULES_MAX: Setting = Setting::new(
    "responses_per_hour",
    "20",
    "responses that rules may order in an hour; what is beyond is refused and told",
);

/// What responses need.
#[derive(Clone, Debug, Default)]
pub struct ResponseSettings {
    /// By whom they are ordered; without it there are none.
    pub credentials: Option<Credentials>,
    /// Whom they spare.
    pub spared: Vec<Spare>,
    /// Those of rules in an hour.
    pub rules_max: u32,
}

impl ResponseSettings {
    /// Every setting, for the documentation.
    pub const SETTINGS: [Setting; 4] = [CLIENT, SECRET, SPARED, RULES_MAX];

    /// The settings that `reader` holds.
    pub fn read(reader: &mut Reader) -> Option<Self> {
        let client: Option<Option<String>> = reader.optional(&CLIENT);
        let secret: Option<Option<SecretText>> = reader.optional(&SECRET);
        let (spared, rules_max) = (reader.list(&SPARED), reader.value(&RULES_MAX));
        let credentials = match (client?, secret?) {
            (None, None) => None,
            (Some(client_id), Some(SecretText(secret))) => Some(credentials(client_id, secret)),
            _ => {
                reader.problem("responder_client and responder_secret go together");
                return None;
            }
        };
        Some(Self {
            credentials,
            spared: spared?,
            rules_max: rules_max?,
        })
    }
}

const fn credentials(client_id: String, secret: SecretString) -> Credentials {
    Credentials { client_id, secret }
}
