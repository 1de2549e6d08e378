//! Where a host tells who mints tokens for it (RFC 9728 §3).

use std::collections::BTreeSet;

use http::Method;

use super::{Route, Row, Service, Who};

/// The path on every host.
pub(crate) const PROTECTED_RESOURCE_PATH: &str = "/.well-known/oauth-protected-resource";

/// The route on the issuer's host.
pub(super) const ROUTE: Row = (
    "protected-resource",
    Method::GET,
    PROTECTED_RESOURCE_PATH,
    Who::Anyone,
    Service::ProtectedResource,
);

/// The same for every other host, unless its API tells that by itself; none where the issuer's host has none either.
pub(crate) fn of_hosts(routes: &[Route]) -> Vec<Route> {
    let hosts = |routes: &mut dyn Iterator<Item = &Route>| -> BTreeSet<String> {
        routes.filter_map(|route| route.host.clone()).collect()
    };
    let is_told = |route: &&Route| route.template == PROTECTED_RESOURCE_PATH;
    let Some(own) = routes.iter().find(|route| is_told(route) && route.host.is_none()) else {
        return Vec::new();
    };
    let told = hosts(&mut routes.iter().filter(is_told));
    let of_host = |host: &String| Route {
        name: format!("{} {host}", own.name),
        host: Some(host.clone()),
        ..own.clone()
    };
    hosts(&mut routes.iter()).difference(&told).map(of_host).collect()
}
