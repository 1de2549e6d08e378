//! Who gains and who loses access by a change of the policy.
//!
//! The paths that are compared are samples of every template of both policies, so that a new, more specific route is seen to
//! take requests from the one that had them before.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Method;

use super::trust::trust_changes;
use crate::policy::{Allow, Policy, Revocation, Route, RouteTable, StreamEnd, Witness};

/// What differs, a line each; nothing if nobody gains or loses access.
pub fn diff(old: &Policy, new: &Policy) -> Vec<String> {
    let samples: BTreeSet<Sample> = [old, new].into_iter().flat_map(samples).collect();
    let mut lines = trust_changes(old, new);
    lines.extend(
        samples
            .iter()
            .flat_map(|sample| compare(sample, &old.table, &new.table)),
    );
    lines
}

/// A request that stands for all that a template matches.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Sample {
    host: Option<String>,
    template: String,
    method: String,
    path: String,
}

fn samples(policy: &Policy) -> impl Iterator<Item = Sample> + '_ {
    policy.table.routes().iter().map(|route| Sample {
        host: route.host.clone(),
        template: route.template.clone(),
        method: route.method.to_string(),
        path: sample_path(&route.template),
    })
}

/// A path that the template matches and hardly any literal does.
fn sample_path(template: &str) -> String {
    let segments: Vec<_> = template
        .split('/')
        .map(|segment| match segment.strip_prefix('{') {
            None => segment,
            Some(name) if name.ends_with("..}") => "~any/~any",
            Some(_) => "~any",
        })
        .collect();
    segments.join("/")
}

fn compare(sample: &Sample, old: &RouteTable, new: &RouteTable) -> Vec<String> {
    let Ok(method) = sample.method.parse::<Method>() else {
        return Vec::new();
    };
    let route = |table: &RouteTable| {
        let found = table.find(sample.host.as_deref(), &method, &sample.path);
        found.cloned()
    };
    let (former, latter) = (route(old), route(new));
    let rule = |route: &Option<Arc<Route>>| route.as_ref().map(|route| route.allow.clone());
    let (before, after) = (rule(&former), rule(&latter));
    let host = sample.host.as_deref().unwrap_or("the issuer's host");
    let place = format!("{} {} on {host}", sample.method, sample.template);
    let mut lines = Vec::new();
    let (was, is) = (ways(former.as_deref()), ways(latter.as_deref()));
    lines.extend(is.difference(&was).map(|way| format!("+ {place}: {way}")));
    lines.extend(was.difference(&is).map(|way| format!("- {place}: no more {way}")));
    if let (Some(former), Some(latter)) = (former, latter)
        && limits(&former) != limits(&latter)
    {
        let (was, is) = (limits(&former), limits(&latter));
        lines.push(format!("~ {place}: limited to {is} instead of {was}"));
    }
    if before == after {
        return lines;
    }
    lines.extend(gain(after.as_ref(), before.as_ref()).map(|who| format!("+ {place}: lets in {who}")));
    lines
        .extend(gain(before.as_ref(), after.as_ref()).map(|who| format!("- {place}: lets in no more {who}")));
    lines
}

fn limits(route: &Route) -> String {
    let limits: Vec<_> = route.rates.iter().map(ToString::to_string).collect();
    if limits.is_empty() {
        return "nothing".to_owned();
    }
    limits.join(" and ")
}

/// Ways in which a route may be used beside plain requests.
fn ways(route: Option<&Route>) -> BTreeSet<String> {
    let Some(route) = route else {
        return BTreeSet::new();
    };
    let passage = &route.passage;
    let origins = passage.cors.iter().flat_map(|cors| &cors.origins);
    let pages = origins.map(|origin| format!("from pages of {origin}"));
    let socket = passage.websocket.then(|| "as a WebSocket".to_owned());
    let is_blind = route.revocation == Revocation::BestEffort;
    let blindly = is_blind.then(|| "while revocations are not heard of".to_owned());
    let stream = match route.stream_end {
        StreamEnd::Exp | StreamEnd::Itself => None,
        StreamEnd::Revocation => Some("in streams that outlive their token".to_owned()),
        StreamEnd::Never => Some("in streams that outlive their token and its revocation".to_owned()),
    };
    pages.chain(socket).chain(blindly).chain(stream).collect()
}

/// Whom `one` lets in and `other` does not, if anybody.
fn gain(one: Option<&Allow>, other: Option<&Allow>) -> Option<String> {
    let one = one?;
    let is_public = |rule: Option<&Allow>| rule.is_some_and(Allow::is_public);
    if is_public(Some(one)) && !is_public(other) {
        return Some(format!("strangers without a token (`{one}`)"));
    }
    match one.witness_against(other) {
        Ok(witness) => witness.map(|witness| bearer(&witness)),
        Err(too_many) => Some(format!("it cannot be told whom: {too_many}; see `{one}`")),
    }
}

fn bearer(witness: &Witness) -> String {
    let list = |terms: &[String]| terms.join(", ");
    match (witness.holds.is_empty(), witness.lacks.is_empty()) {
        (true, true) => "every bearer".to_owned(),
        (false, true) => format!("a bearer with {}", list(&witness.holds)),
        (true, false) => format!("a bearer without {}", list(&witness.lacks)),
        (false, false) => format!(
            "a bearer with {} but without {}",
            list(&witness.holds),
            list(&witness.lacks)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::tests::policy;

    fn route(name: &str, matched: &str, allow: &str) -> String {
        format!("[[route]]\nname='{name}'\nhost='api.example'\nmatch='{matched}'\nallow='{allow}'\nto='up'\n")
    }

    fn told(old: &str, new: &str) -> Vec<String> {
        diff(&policy(old), &policy(new))
    }

    #[test]
    fn who_gains_and_who_loses_access_is_told_by_the_simplest_case() {
        let (old, new) = (
            route("r", "GET /r", "scope:a & role:b"),
            route("r", "GET /r", "scope:a & role:c"),
        );

        assert_eq!(
            told(&old, &new),
            [
                "+ GET /r on api.example: lets in a bearer with scope:a, role:c but without role:b",
                "- GET /r on api.example: lets in no more a bearer with scope:a, role:b but without role:c",
            ]
        );
    }

    #[test]
    fn another_wording_and_another_name_are_no_difference() {
        let (old, new) = (
            route("r", "GET /r", "scope:a | scope:b"),
            route("renamed", "GET /r", "scope:b | scope:a | scope:a"),
        );

        assert!(told(&old, &new).is_empty());
    }

    #[test]
    fn a_more_specific_route_takes_access_from_the_one_before_it() {
        let wide = route("wide", "GET /files/{rest..}", "signed-in");
        let new = format!("{wide}{}", route("secret", "GET /files/secret", "role:boss"));

        assert_eq!(
            told(&wide, &new),
            ["- GET /files/secret on api.example: lets in no more a bearer without role:boss"]
        );
    }

    #[test]
    fn a_route_that_becomes_public_lets_strangers_in() {
        let told = told(&route("r", "GET /r", "scope:a"), &route("r", "GET /r", "anyone"));

        assert_eq!(
            told,
            ["+ GET /r on api.example: lets in strangers without a token (`anyone`)"]
        );
    }

    #[test]
    fn another_limit_is_told_beside_who_gains_and_who_loses() {
        let route = |rate: &str| format!("{}rate={rate}\n", route("r", "GET /r", "scope:a"));
        let (old, new) = (route("[{per='sub',limit='9/s'}]"), route("[]"));

        assert_eq!(
            told(&old, &new),
            ["~ GET /r on api.example: limited to nothing instead of 9/s, 9 at once per sub"]
        );
        assert!(told(&old, &old).is_empty());
    }

    #[test]
    fn other_pages_and_sockets_are_ways_in_too() {
        let old = format!(
            "{}cors={{origins=['https://a.example','https://b.example']}}\n",
            route("r", "GET /r", "anyone")
        );
        let new = format!(
            "{}websocket=true\ncors={{origins=['https://b.example','https://c.example']}}\n",
            route("r", "GET /r", "anyone")
        );

        assert_eq!(
            told(&old, &new),
            [
                "+ GET /r on api.example: as a WebSocket",
                "+ GET /r on api.example: from pages of https://c.example",
                "- GET /r on api.example: no more from pages of https://a.example",
            ]
        );
    }

    #[test]
    fn a_route_that_begins_to_let_in_blindly_or_for_longer_is_told() {
        let old = route("r", "GET /r", "scope:a");
        let new = format!("{old}revocation='best-effort'\nstream={{ end_at='never' }}\n");

        assert_eq!(
            told(&old, &new),
            [
                "+ GET /r on api.example: in streams that outlive their token and its revocation",
                "+ GET /r on api.example: while revocations are not heard of",
            ]
        );
    }

    #[test]
    fn a_route_that_is_gone_lets_nobody_in() {
        assert_eq!(
            told(&route("r", "GET /r", "signed-in"), ""),
            ["- GET /r on api.example: lets in no more every bearer"]
        );
    }
}
