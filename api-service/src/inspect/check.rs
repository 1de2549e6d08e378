//! What should be known of a policy that has no mistakes.

use super::title;
use crate::policy::{Policy, Revocation, Route, StreamEnd, Target};
use crate::rate_limit::RateRule;
use shared::token::AudienceRule;

/// Warnings, routes that let everyone in, routes that let nobody in, and routes that are only decided on; a line each.
///
/// `is_asked` is whether anybody may ask for decisions.
pub fn notes(policy: &Policy, is_asked: bool) -> Vec<String> {
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
        if route.revocation == Revocation::BestEffort {
            notes.push(format!(
                "blind: {}: lets in who may have been revoked since revocations were last heard of",
                title(route)
            ));
        }
        if route.stream_end == StreamEnd::Never {
            notes.push(format!(
                "endless: {}: its streams go on when their token is revoked",
                title(route)
            ));
        }
        if let Some(why) = unreachable(route, has_audience) {
            notes.push(format!("nobody: {}: {why}", title(route)));
        } else if route.allow.is_public() && !route.is_own() {
            let limits = limits(&route.rates);
            notes.push(format!(
                "public: {}: {}{limits}",
                title(route),
                route.allow.sentence()
            ));
        }
        if matches!(route.target, Target::Decided) {
            let who = if is_asked {
                "for proxies that ask `/-/decide`"
            } else {
                "and `decide_peers` names nobody who may ask"
            };
            notes.push(format!("decided: {}: leads nowhere; {who}", title(route)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    fn told(text: &str) -> String {
        notes(&policy(text), false).join("\n")
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
    fn routes_that_lead_nowhere_are_named_and_whether_anybody_may_ask() {
        let policy = policy(
            "audience = ['a']\n[[route]]\nname='asked'\nhost='api.example'\nmatch='GET /a'\nallow='signed-in'",
        );

        let told = |is_asked| notes(&policy, is_asked).join("\n");

        assert_eq!(
            told(true),
            "decided: asked  GET /a on api.example: leads nowhere; for proxies that ask `/-/decide`"
        );
        assert!(told(false).ends_with("`decide_peers` names nobody who may ask"));
    }

    #[test]
    fn routes_that_let_in_blindly_or_for_ever_are_named() {
        let told = told(
            "audience = ['a']\n[[route]]\nname='lax'\nhost='api.example'\nmatch='GET /a'\nallow='signed-in'\nto='up'\nrevocation='best-effort'\nstream={end_at='never'}",
        );

        assert_eq!(
            told,
            "blind: lax  GET /a on api.example: lets in who may have been revoked since revocations were last heard of\n\
             endless: lax  GET /a on api.example: its streams go on when their token is revoked"
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
