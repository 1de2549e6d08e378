//! The client of the console: a page that Gatelog serves itself, and so one that nobody has to register. Pure.

use shared::clock::UtcMicros;
use shared::token::GATELOG_AUDIENCE;

use super::model::{Client, GrantType, Kind};

/// Its id.
pub(crate) const CONSOLE_CLIENT: &str = "gatelog-console";

/// What its pages may do at most, for users whose roles allow it.
const SCOPES: [&str; 6] = [
    "admin",
    "audit:read",
    "audit:export",
    "audit:respond",
    "audit:identify",
    "rules:write",
];

/// The console below `issuer`: public, since a page keeps no secret, and ours. Its one address is known, so that no
/// registration can lead its codes elsewhere.
pub(super) fn console(issuer: &str) -> Client {
    Client {
        name: "Gatelog console".to_owned(),
        kind: Kind::Public,
        is_first_party: true,
        grant_types: vec![GrantType::AuthorizationCode, GrantType::RefreshToken],
        redirect_uris: vec![format!("{}/console/", issuer.trim_end_matches('/'))],
        scopes: SCOPES.map(str::to_owned).to_vec(),
        audiences: vec![GATELOG_AUDIENCE.to_owned()],
        ..Client::fresh(CONSOLE_CLIENT.to_owned(), UtcMicros::from_micros(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_of_the_console_go_to_its_own_page_alone() {
        for issuer in ["https://gate.example", "https://gate.example/"] {
            assert_eq!(
                console(issuer).redirect_uris,
                ["https://gate.example/console/"],
                "{issuer}"
            );
        }
    }

    #[test]
    fn its_tokens_are_for_gatelog_and_never_for_an_api() {
        assert_eq!(console("https://gate.example").audiences, [GATELOG_AUDIENCE]);
    }
}
