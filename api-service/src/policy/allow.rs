//! The `allow` language: who may use a route.
//!
//! Terms `anyone`, `signed-in`, `scope:x`, `role:x`, `sub:x`, `client:x`; operators `!`, `&`, `|` in this order of
//! strength; parentheses. Every expression ends, and none is satisfied by a request without a token unless it says
//! `anyone`.

use std::fmt;

use shared::token::Verified;

/// Parentheses and negations inside each other at most.
const DEPTH_MAX: usize = 16;

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
    /// Everyone with an accepted token but those.
    Not(Box<Allow>),
    /// Who satisfies all.
    All(Vec<Allow>),
    /// Who satisfies one.
    Any(Vec<Allow>),
}

/// Why a text is no expression; `at` is the byte where it was noticed, counted from 0.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct AllowError {
    at: usize,
    reason: &'static str,
}

impl Allow {
    /// Reads an expression.
    pub fn parse(text: &str) -> Result<Self, AllowError> {
        let mut parser = Parser { text, at: 0 };
        let expression = parser.any(0)?;
        if parser.peek().is_some() {
            return Err(parser.error("expected `&`, `|` or the end"));
        }
        Ok(expression)
    }

    /// Whether a request without a token is let in. A negation never lets one in.
    pub fn is_public(&self) -> bool {
        match self {
            Self::Anyone => true,
            Self::SignedIn
            | Self::Scope(_)
            | Self::Role(_)
            | Self::Sub(_)
            | Self::Client(_)
            | Self::Not(_) => false,
            Self::All(parts) => parts.iter().all(Self::is_public),
            Self::Any(parts) => parts.iter().any(Self::is_public),
        }
    }

    /// Whether the bearer of an accepted token is let in.
    pub fn permits(&self, token: &Verified) -> bool {
        match self {
            Self::Anyone | Self::SignedIn => true,
            Self::Scope(scope) => token.has_scope(scope),
            Self::Role(role) => token.roles.contains(role),
            Self::Sub(sub) => token.sub == *sub,
            Self::Client(client) => token.client_id.as_ref() == Some(client),
            Self::Not(part) => !part.permits(token),
            Self::All(parts) => parts.iter().all(|part| part.permits(token)),
            Self::Any(parts) => parts.iter().any(|part| part.permits(token)),
        }
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
}

impl fmt::Display for Allow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |formatter: &mut fmt::Formatter<'_>, parts: &[Self], operator: &str| {
            for (index, part) in parts.iter().enumerate() {
                let between = if index == 0 { "" } else { operator };
                match part {
                    Self::All(_) | Self::Any(_) => write!(formatter, "{between}({part})")?,
                    _ => write!(formatter, "{between}{part}")?,
                }
            }
            Ok(())
        };
        match self {
            Self::Anyone => formatter.write_str("anyone"),
            Self::SignedIn => formatter.write_str("signed-in"),
            Self::Scope(name) => write!(formatter, "scope:{name}"),
            Self::Role(name) => write!(formatter, "role:{name}"),
            Self::Sub(name) => write!(formatter, "sub:{name}"),
            Self::Client(name) => write!(formatter, "client:{name}"),
            Self::Not(part) => match **part {
                Self::All(_) | Self::Any(_) => write!(formatter, "!({part})"),
                _ => write!(formatter, "!{part}"),
            },
            Self::All(parts) => joined(formatter, parts, " & "),
            Self::Any(parts) => joined(formatter, parts, " | "),
        }
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
}

impl<'t> Parser<'t> {
    fn any(&mut self, depth: usize) -> Result<Allow, AllowError> {
        self.joined(depth, '|', Self::all, Allow::Any)
    }

    fn all(&mut self, depth: usize) -> Result<Allow, AllowError> {
        self.joined(depth, '&', Self::one, Allow::All)
    }

    fn joined(
        &mut self,
        depth: usize,
        operator: char,
        part: fn(&mut Self, usize) -> Result<Allow, AllowError>,
        join: fn(Vec<Allow>) -> Allow,
    ) -> Result<Allow, AllowError> {
        let first = part(self, depth)?;
        let mut parts = vec![first];
        while self.eat(operator) {
            parts.push(part(self, depth)?);
        }
        if parts.len() > 1 {
            return Ok(join(parts));
        }
        parts.pop().ok_or_else(|| self.error("expected a term"))
    }

    fn one(&mut self, depth: usize) -> Result<Allow, AllowError> {
        if depth >= DEPTH_MAX {
            return Err(self.error("too many parentheses or negations inside each other"));
        }
        if self.eat('!') {
            return Ok(Allow::Not(Box::new(self.one(depth + 1)?)));
        }
        if self.eat('(') {
            let inner = self.any(depth + 1)?;
            if !self.eat(')') {
                return Err(self.error("expected `)`"));
            }
            return Ok(inner);
        }
        self.term()
    }

    fn term(&mut self) -> Result<Allow, AllowError> {
        self.skip_spaces();
        let start = self.at;
        let word = self.word();
        let named = |make: fn(String) -> Allow, name: &str| {
            if name.is_empty() {
                Err(AllowError {
                    at: start,
                    reason: "expected a name after `:`",
                })
            } else {
                Ok(make(name.to_owned()))
            }
        };
        match word.split_once(':') {
            None if word == "anyone" => Ok(Allow::Anyone),
            None if word == "signed-in" => Ok(Allow::SignedIn),
            Some(("scope", name)) => named(Allow::Scope, name),
            Some(("role", name)) => named(Allow::Role, name),
            Some(("sub", name)) => named(Allow::Sub, name),
            Some(("client", name)) => named(Allow::Client, name),
            _ => Err(AllowError {
                at: start,
                reason: "expected `anyone`, `signed-in`, `scope:…`, `role:…`, `sub:…`, `client:…`, `!` or `(`",
            }),
        }
    }

    fn word(&mut self) -> &'t str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest
            .find(|c: char| c.is_whitespace() || "&|!()\"".contains(c))
            .unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.at += wanted.len_utf8();
        }
        found
    }

    fn peek(&mut self) -> Option<char> {
        self.skip_spaces();
        self.text.get(self.at..)?.chars().next()
    }

    fn skip_spaces(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        self.at += rest.len() - rest.trim_start().len();
    }

    fn error(&self, reason: &'static str) -> AllowError {
        AllowError { at: self.at, reason }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use shared::clock::UtcMicros;
    use shared::token::Algorithm;

    use super::*;

    fn token(scopes: &[&str], roles: &[&str]) -> Verified {
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
        }
    }

    fn permits(text: &str, scopes: &[&str], roles: &[&str]) -> bool {
        Allow::parse(text).unwrap().permits(&token(scopes, roles))
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
        assert!(told("everyone").starts_with("at character 0: expected `anyone`"));
        assert!(told("").starts_with("at character 0"));
        assert!(told(&"(".repeat(1_000_000)).contains("too many parentheses"));
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
        fn no_text_makes_the_parser_panic(text in "[a-z:&|!() ]{0,40}") {
            drop(Allow::parse(&text));
        }
    }
}
