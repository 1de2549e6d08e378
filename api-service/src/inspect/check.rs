//! What should be known of a policy that has no mistakes.

use super::title;
use crate::policy::{Policy, Route, Target};
use crate::rate_limit::RateRule;
use shared::token::AudienceRule;

/// Warnings, routes that let everyone in, and routes that let nobody in; a line each.
pub fn notes(policy: &Policy) -> Vec<String> {
    let mut notes: Vec<_> = policy
        .warnings
        .iter()
        .map(|warning| format!("warning: {warning}"))
        .collect();
    let has_audience = policy
        .issuers
        .iter()
        .any(|issuer| !issuer.rules.audience.is_empty());
    for route in policy.table.routes() {
        if let Some(why) = unreachable(route, has_audience) {
            notes.push(format!("nobody: {}: {why}", title(route)));
        } else if route.allow.is_public() && !is_own(route) {
            let limits = limits(&route.rates);
            notes.push(format!(
                "public: {}: {}{limits}",
                title(route),
                route.allow.sentence()
            ));
        }
    }
    notes
}

fn limits(rates: &[RateRule]) -> String {
    let limits: Vec<_> = rates.iter().map(|rate| format!(", at most {rate}")).collect();
    limits.concat()
}

/// Why nobody can pass, if so.
fn unreachable(route: &Route, has_audience: bool) -> Option<&'static str> {
    if route.allow.is_impossible() {
        Some("its rule contradicts itself")
    } else if route.audience == AudienceRule::Apis && !route.allow.is_public() && !has_audience {
        Some("no issuer has an audience for your APIs; set `audience`")
    } else {
        None
    }
}

/// Gatelog's own public routes, such as sign-in, are known to be so.
fn is_own(route: &Route) -> bool {
    match &route.target {
        Target::Me => true,
        Target::Upstream(_) => route.audience != AudienceRule::Apis,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    fn told(text: &str) -> String {
        notes(&policy(text)).join("\n")
    }

    #[test]
    fn public_routes_are_named_and_gatelog_s_own_are_not() {
        let told = told(
            "audience = ['a']\n[[route]]\nname='open'\nhost='api.example'\nmatch='GET /open'\nallow='anyone'\nto='up'\nrate=[{per='address',limit='9/s'}]",
        );

        assert_eq!(
            told,
            "public: open  GET /open on api.example: lets in everyone, with or without a token, at most 9/s, 9 at once per address"
        );
    }

    #[test]
    fn routes_that_let_nobody_in_are_named_with_the_reason() {
        let route = |allow: &str| {
            format!("[[route]]\nname='r'\nhost='api.example'\nmatch='GET /r'\nallow='{allow}'\nto='up'")
        };

        assert!(
            told(&format!("audience = ['a']\n{}", route("scope:a & !scope:a")))
                .contains("contradicts itself")
        );
        assert!(told(&route("signed-in")).contains("no issuer has an audience"));
        assert_eq!(told(&format!("audience = ['a']\n{}", route("signed-in"))), "");
    }
}
