//! Whose tokens are accepted no more, or from now on, by a change of the policy.

use shared::token::{ClaimProfile, IssuerRules};

use crate::policy::{IssuerKeys, Policy, PolicyIssuer};

/// What differs, a line each.
pub(super) fn trust_changes(old: &Policy, new: &Policy) -> Vec<String> {
    let mut lines = Vec::new();
    for issuer in &new.issuers {
        match of(old, &issuer.rules.iss) {
            None => lines.push(format!(
                "+ {}: its tokens are accepted, {}",
                name(issuer),
                told(issuer)
            )),
            Some(former) if told(former) != told(issuer) => {
                lines.push(format!(
                    "~ {}: {} instead of {}",
                    name(issuer),
                    told(issuer),
                    told(former)
                ));
            }
            Some(_) => {}
        }
    }
    let gone = old
        .issuers
        .iter()
        .filter(|issuer| of(new, &issuer.rules.iss).is_none());
    lines.extend(gone.map(|issuer| format!("- {}: its tokens are accepted no more", name(issuer))));
    if old.refusals != new.refusals {
        lines.push(format!(
            "~ refusals: {} instead of {}",
            new.refusals, old.refusals
        ));
    }
    lines
}

fn of<'p>(policy: &'p Policy, iss: &str) -> Option<&'p PolicyIssuer> {
    policy.issuers.iter().find(|issuer| issuer.rules.iss == iss)
}

fn name(issuer: &PolicyIssuer) -> String {
    format!("issuer {}", issuer.rules.iss)
}

/// Everything that decides whether a token of the issuer is accepted, and what is read from it.
fn told(issuer: &PolicyIssuer) -> String {
    let IssuerRules {
        audience,
        algorithms,
        types,
        leeway,
        profile,
        ..
    } = &issuer.rules;
    let algorithms: Vec<_> = algorithms.iter().map(ToString::to_string).collect();
    let audience = if audience.is_empty() {
        "nothing".to_owned()
    } else {
        audience.join(", ")
    };
    let keys = match &issuer.keys {
        IssuerKeys::Fetched(jwks) => format!("keys from {jwks}"),
        IssuerKeys::Secret(_) => "a secret".to_owned(),
    };
    let claims = match profile {
        ClaimProfile::AccessToken => "claims of RFC 9068".to_owned(),
        ClaimProfile::Mapped {
            sub,
            roles,
            scope,
            client,
        } => {
            let mapped = [("roles", roles), ("scope", scope), ("client", client)];
            let mapped = mapped
                .into_iter()
                .filter_map(|(name, path)| Some(format!(", {name} in {}", path.as_ref()?)));
            format!("sub in {sub}{}", mapped.collect::<Vec<_>>().concat())
        }
    };
    format!(
        "for {audience} ({}, typ {}, {} s of leeway, {keys}, {claims})",
        algorithms.join(", "),
        types.join(", "),
        leeway.as_secs()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    const ISSUER: &str =
        "[issuer.kc]\nurl = 'https://kc'\njwks = 'https://kc/jwks'\naudience = ['a']\nalgs = ['ES256']\n";

    fn told(old: &str, new: &str) -> Vec<String> {
        trust_changes(&policy(old), &policy(new))
    }

    #[test]
    fn an_issuer_that_comes_and_one_that_goes_are_told() {
        let [line] = told("", ISSUER).try_into().unwrap();
        assert!(
            line.starts_with("+ issuer https://kc: its tokens are accepted, for a (ES256, typ at+jwt"),
            "{line}"
        );
        assert_eq!(
            told(ISSUER, ""),
            ["- issuer https://kc: its tokens are accepted no more"]
        );
        assert!(told(ISSUER, ISSUER).is_empty());
    }

    #[test]
    fn whatever_lets_in_other_tokens_of_an_issuer_is_told() {
        for (part, other) in [
            ("['a']", "['a', 'b']"),
            ("['ES256']", "['ES256', 'RS256']"),
            ("https://kc/jwks", "https://kc/other"),
            ("algs =", "typ = ['JWT']\nalgs ="),
            ("algs =", "leeway_seconds = 60\nalgs ="),
            ("algs =", "claims = { sub = 'id' }\nalgs ="),
        ] {
            let [line] = told(ISSUER, &ISSUER.replace(part, other)).try_into().unwrap();
            assert!(line.starts_with("~ issuer https://kc: for a"), "{line}");
        }
        let [line] = told("", "audience = ['orders']\n").try_into().unwrap();
        assert!(
            line.contains("for orders (") && line.contains("instead of for nothing ("),
            "{line}"
        );
    }
}
