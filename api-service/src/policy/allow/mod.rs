//! The `allow` language: who may use a route.
//!
//! Terms `anyone`, `signed-in`, `scope:x`, `role:x`, `sub:x`, `client:x`, `claim:path=value`, `age<15m`, `ip:10.0.0.0/8`;
//! operators `!`, `&`, `|` in this order of strength; parentheses. Every expression ends, and none is satisfied by a
//! request without a token unless it says `anyone`.

mod analysis;
mod display;
mod parser;
mod term;

use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use shared::clock::UtcMicros;
use shared::token::Verified;

pub use analysis::{TooManyTerms, Witness};
pub use parser::AllowError;

/// An expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Allow {
    /// Everyone, with or without a token.
    Anyone,
    /// Everyone with a token that is accepted.
    SignedIn,
    /// Whose token has the scope.
    Scope(String),
    /// Whose token has the role.
    Role(String),
    /// Whose subject this is.
    Sub(String),
    /// Whose client this is.
    Client(String),
    /// Whose token has the claim at that path, as the value itself or in a list. Dots lead into objects.
    Claim {
        /// The name of the claim, or the way to it.
        path: String,
        /// A text, or how JSON writes a number or a truth value.
        value: String,
    },
    /// Who proved who it is less long ago (`auth_time`; for tokens without it, since they were minted).
    Age(Duration),
    /// Who comes from those addresses.
    Ip(IpNet),
    /// Everyone with an accepted token but those.
    Not(Box<Allow>),
    /// Who satisfies all.
    All(Vec<Allow>),
    /// Who satisfies one.
    Any(Vec<Allow>),
}

/// Who asks to be let in.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The token that was accepted, if one was looked at.
    pub token: Option<&'a Verified>,
    /// The address that the request came from.
    pub ip: IpAddr,
    /// The present moment.
    pub now: UtcMicros,
}

impl Allow {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        parser::parse(text)
    }

    /// Whether a request without a token may be let in, at least from some addresses. A negation never lets one in.
    pub fn is_public(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::All(parts) => {
                parts.iter().any(Self::is_public)
                    && parts
                        .iter()
                        .all(|part| part.is_public() || part.is_of_addresses())
            }
            Self::Any(parts) => parts.iter().any(Self::is_public),
            _ => false,
        }
    }

    /// Whether `asker` is let in.
    pub fn permits(&self, asker: &Asker<'_>) -> bool {
        match asker.token {
            None => self.is_public() && self.permits_stranger(asker),
            Some(token) => self.holds(&|term| term::holds(term, token, asker)),
        }
    }

    /// Every term, in the order of its first mention, and whether it holds for `asker`.
    pub fn terms(&self, asker: &Asker<'_>) -> Vec<(&Self, bool)> {
        let holds = |term: &Self| match asker.token {
            Some(token) => term::holds(term, token, asker),
            None => term.permits_stranger(asker),
        };
        self.atoms().into_iter().map(|term| (term, holds(term))).collect()
    }

    /// The scopes to ask for, separated by spaces, if scopes alone would do (RFC 6750 §3.1).
    pub fn scope_hint(&self) -> Option<String> {
        match self {
            Self::Scope(scope) => Some(scope.clone()),
            Self::All(parts) => parts
                .iter()
                .map(Self::scope_hint)
                .collect::<Option<Vec<_>>>()
                .map(|s| s.join(" ")),
            _ => None,
        }
    }

    /// Of a request without a token only the address counts, in an expression that says `anyone`.
    fn permits_stranger(&self, asker: &Asker<'_>) -> bool {
        match self {
            Self::Anyone => true,
            Self::Ip(net) => term::is_from(asker.ip, net),
            Self::Not(part) => part.is_of_addresses() && !part.permits_stranger(asker),
            Self::All(parts) => parts.iter().all(|part| part.permits_stranger(asker)),
            Self::Any(parts) => {
                let is_of_addresses = self.is_of_addresses();
                let counts = |part: &Self| is_of_addresses || part.is_public();
                parts
                    .iter()
                    .any(|part| counts(part) && part.permits_stranger(asker))
            }
            _ => false,
        }
    }

    fn is_of_addresses(&self) -> bool {
        match self {
            Self::Ip(_) => true,
            Self::Not(part) => part.is_of_addresses(),
            Self::All(parts) | Self::Any(parts) => parts.iter().all(Self::is_of_addresses),
            _ => false,
        }
    }

    /// The expression's value when `holds` tells that of each term.
    fn holds(&self, holds: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::Not(part) => !part.holds(holds),
            Self::All(parts) => parts.iter().all(|part| part.holds(holds)),
            Self::Any(parts) => parts.iter().any(|part| part.holds(holds)),
            term => holds(term),
        }
    }

    /// The terms, each once.
    fn atoms(&self) -> Vec<&Self> {
        let mut atoms = Vec::new();
        self.collect_atoms(&mut atoms);
        atoms
    }

    fn collect_atoms<'e>(&'e self, atoms: &mut Vec<&'e Self>) {
        match self {
            Self::Not(part) => part.collect_atoms(atoms),
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect_atoms(atoms)),
            term if atoms.contains(&term) => {}
            term => atoms.push(term),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::clock::UtcMicros;
    use shared::token::Algorithm;

    use super::*;

    pub(super) fn token(scopes: &[&str], roles: &[&str]) -> Verified {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Verified {
            iss: "i".into(),
            sub: "usr_1".into(),
            aud: vec![],
            expires_at: UtcMicros::from_seconds(1),
            issued_at: None,
            jti: None,
            client_id: Some("app".into()),
            sid: None,
            scopes: owned(scopes),
            roles: owned(roles),
            username: None,
            kid: None,
            algorithm: Algorithm::EdDsa,
            authenticated_at: None,
            claims: serde_json::Map::new(),
        }
    }

    fn asker(token: Option<&Verified>) -> Asker<'_> {
        Asker {
            token,
            ip: "192.0.2.7".parse().unwrap(),
            now: UtcMicros::from_seconds(1_000),
        }
    }

    fn permits(text: &str, scopes: &[&str], roles: &[&str]) -> bool {
        let token = token(scopes, roles);
        Allow::parse(text).unwrap().permits(&asker(Some(&token)))
    }

    fn permits_stranger(text: &str) -> bool {
        Allow::parse(text).unwrap().permits(&asker(None))
    }

    #[test]
    fn a_stranger_is_let_in_by_anyone_alone_and_by_its_address_only_together_with_it() {
        for text in [
            "anyone",
            "anyone | scope:a",
            "anyone & ip:192.0.2.0/24",
            "anyone & !ip:10.0.0.0/8",
            "(anyone & ip:192.0.2.7) | scope:a",
            "anyone & (ip:10.0.0.0/8 | ip:192.0.2.7)",
        ] {
            assert!(permits_stranger(text), "{text}");
        }
        for text in [
            "ip:192.0.2.0/24",
            "!ip:10.0.0.0/8",
            "!scope:a",
            "!anyone",
            "!(!anyone)",
            "anyone & scope:a",
            "anyone & ip:10.0.0.0/8",
            "anyone & !scope:a",
            "(anyone & ip:10.0.0.0/8) | ip:192.0.2.0/24",
        ] {
            assert!(!permits_stranger(text), "{text}");
        }
    }

    #[test]
    fn an_age_counts_from_the_sign_in_and_without_it_from_the_minting() {
        let at = |seconds| Some(UtcMicros::from_seconds(seconds));
        let rule = Allow::parse("age<1m").unwrap();
        let is_young = |authenticated_at, issued_at| {
            let token = Verified {
                authenticated_at,
                issued_at,
                ..token(&[], &[])
            };
            rule.permits(&asker(Some(&token)))
        };

        assert!(is_young(at(941), at(0)));
        assert!(!is_young(at(940), at(999)));
        assert!(is_young(None, at(941)));
        assert!(!is_young(None, None));
    }

    #[test]
    fn an_address_counts_for_bearers_too() {
        assert!(permits("scope:a & ip:192.0.2.0/24", &["a"], &[]));
        assert!(!permits("scope:a & ip:10.0.0.0/8", &["a"], &[]));
    }

    #[test]
    fn and_is_stronger_than_or_and_parentheses_are_stronger_than_both() {
        assert!(permits("scope:a | scope:b & role:c", &["a"], &[]));
        assert!(!permits("(scope:a | scope:b) & role:c", &["a"], &[]));
        assert!(permits("(scope:a | scope:b) & role:c", &["b"], &["c"]));
    }

    #[test]
    fn a_name_may_hold_colons_and_dots() {
        assert!(permits(
            "scope:audit:read & client:app & sub:usr_1",
            &["audit:read"],
            &[]
        ));
        assert!(!permits("scope:audit", &["audit:read"], &[]));
    }

    #[test]
    fn a_negation_lets_in_bearers_only() {
        assert!(permits("!role:guest", &[], &["staff"]));
        assert!(!permits("!role:guest", &[], &["guest"]));
        for text in [
            "!role:guest",
            "!anyone",
            "!(!anyone)",
            "signed-in",
            "anyone & scope:a",
        ] {
            assert!(!Allow::parse(text).unwrap().is_public(), "{text}");
        }
        for text in ["anyone", "anyone | scope:a", "(anyone)"] {
            assert!(Allow::parse(text).unwrap().is_public(), "{text}");
        }
    }

    #[test]
    fn a_mistake_is_told_with_its_place() {
        let told = |text: &str| Allow::parse(text).unwrap_err().to_string();

        assert!(told("scope:a &").starts_with("at character 9: expected `anyone`"));
        assert!(told("scope:a scope:b").starts_with("at character 8: expected `&`"));
        assert!(told("(scope:a").starts_with("at character 8: expected `)`"));
        assert!(told("role:").starts_with("at character 0: expected a name"));
        assert!(told("claim:amr").contains("a claim and its value"));
        for wrong in [
            "age<", "age<0m", "age<15", "age<-1m", "age<31d", "age<1w", "age<٣m",
        ] {
            assert!(told(wrong).contains("a time such as"), "{wrong}");
        }
        for wrong in ["ip:", "ip:10.0.0.1/8", "ip:localhost", "ip:10.0.0.0/33"] {
            assert!(told(wrong).contains("an address or a network"), "{wrong}");
        }
        assert!(told("everyone").starts_with("at character 0: expected `anyone`"));
        assert!(told("").starts_with("at character 0"));
        assert!(told(&"(".repeat(1_000_000)).contains("too many parentheses"));
    }

    /// Printed, `&` inside `|` stands in parentheses that were not counted when it was read.
    #[test]
    fn however_deep_a_rule_is_what_is_shown_of_it_is_read_again() {
        let nested = |levels: usize| {
            let (open, close) = ("anyone | anyone & (".repeat(levels), ")".repeat(levels));
            Allow::parse(&format!("{open}anyone{close}"))
        };
        let deepest = nested(7).unwrap();

        assert_eq!(Allow::parse(&deepest.to_string()), Ok(deepest));
        assert!(
            nested(8)
                .unwrap_err()
                .to_string()
                .contains("too many parentheses")
        );
    }

    #[test]
    fn a_hint_is_given_where_scopes_alone_would_do() {
        let hint = |text: &str| Allow::parse(text).unwrap().scope_hint();

        assert_eq!(hint("scope:a & scope:b").as_deref(), Some("a b"));
        assert_eq!(hint("scope:a & role:b"), None);
        assert_eq!(hint("scope:a | scope:b"), None);
    }

    fn expressions() -> impl Strategy<Value = Allow> {
        let name = "[a-z][a-z:._-]{0,8}";
        let leaf = prop_oneof![
            Just(Allow::Anyone),
            Just(Allow::SignedIn),
            name.prop_map(Allow::Scope),
            name.prop_map(Allow::Role),
            name.prop_map(Allow::Sub),
            name.prop_map(Allow::Client),
            (name, "[a-z0-9]{1,5}").prop_map(|(path, value)| Allow::Claim { path, value }),
            (1u64..2_592_000).prop_map(|seconds| Allow::Age(Duration::from_secs(seconds))),
            (any::<u32>(), 0u8..=32).prop_map(|(bits, length)| {
                let net = ipnet::Ipv4Net::new(bits.into(), length).unwrap();
                Allow::Ip(IpNet::V4(net.trunc()))
            }),
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                inner.clone().prop_map(|part| Allow::Not(Box::new(part))),
                prop::collection::vec(inner.clone(), 2..4).prop_map(Allow::All),
                prop::collection::vec(inner, 2..4).prop_map(Allow::Any),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same(expression in expressions()) {
            prop_assert_eq!(Allow::parse(&expression.to_string()), Ok(expression));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "[a-z0-9:&|!()<=./ ]{0,40}") {
            drop(Allow::parse(&text));
        }
    }
}
