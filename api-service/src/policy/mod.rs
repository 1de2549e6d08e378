//! Who may do what: routes, the rules on them, issuers and upstreams, read from one file.
//!
//! Everything here is pure but [`load`], which reads the file and the secret files that it names.

mod allow;
mod builtin;
mod cors;
mod file;
mod identity;
mod issuer;
mod load;
mod passage;
mod path;
mod query;
mod rate;
mod route;
mod source;
mod table;
mod timeouts;
mod upstream;

pub use allow::{Allow, AllowError, Asker, TooManyTerms, Witness};
pub(crate) use builtin::PROTECTED_RESOURCE_PATH;
pub use cors::Cors;
pub use identity::{Folded, IdentityClaim, IdentityHeaders};
pub use issuer::{IssuerKeys, PolicyIssuer};
pub use load::{PolicyError, Surroundings, load};
pub use passage::Passage;
pub use path::{PathRefusal, normalised};
pub use query::masked;
pub use route::{Audit, Revocation, Route, StreamEnd, Target};
pub use source::PolicySource;
pub use table::RouteTable;
pub use timeouts::Timeouts;
pub use upstream::{HealthCheck, Server, Upstream};

use crate::rate_limit::RateRule;

/// Everything that the policy file and the built-in routes say.
#[derive(Debug)]
pub struct Policy {
    /// The routes, ready to be matched.
    pub table: RouteTable,
    /// The issuers, Gatelog's own first.
    pub issuers: Vec<PolicyIssuer>,
    /// How often an address may be refused for want of a good token.
    pub refusals: RateRule,
    /// What is allowed but should be known.
    pub warnings: Vec<String>,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub hash: String,
    /// Where it was read from.
    pub source: PolicySource,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The policy of a text, beside an upstream `up`.
    pub(crate) fn policy(text: &str) -> Policy {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("policy.toml");
        let upstream = "[upstream.up]\nservers = ['http://127.0.0.1:1']\n";
        // Top-level keys stand before the first table.
        let (top, tables) = text.split_at(
            text.find('[')
                .filter(|_| !text.starts_with("audience"))
                .unwrap_or_else(|| text.find("\n[").map_or(text.len(), |at| at + 1)),
        );
        std::fs::write(&file, format!("{top}{upstream}{tables}")).unwrap();
        let surroundings = Surroundings {
            issuer: "https://gate.example".into(),
            auth_url: "http://127.0.0.1:1".into(),
            collector_url: Some("http://127.0.0.1:1".into()),
        };
        load(Some(&file), &surroundings).unwrap()
    }
}
