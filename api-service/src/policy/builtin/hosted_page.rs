//! The routes of the pages where people sign in, and of what clients get by them. Forms carry proofs of their own, and
//! browsers no token.

use http::Method;

use super::{Row, Service, Who};

pub(super) const ROUTES: &[Row] = &[
    (
        "oauth-authorize",
        Method::GET,
        "/oauth/authorize",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-authorize-form",
        Method::POST,
        "/oauth/authorize",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-sign-in",
        Method::POST,
        "/oauth/sign-in",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-consent",
        Method::POST,
        "/oauth/consent",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-logout-page",
        Method::GET,
        "/oauth/logout",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-logout",
        Method::POST,
        "/oauth/logout",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "oauth-userinfo",
        Method::GET,
        "/oauth/userinfo",
        Who::Bearer,
        Service::Auth,
    ),
    (
        "oauth-userinfo-post",
        Method::POST,
        "/oauth/userinfo",
        Who::Bearer,
        Service::Auth,
    ),
    (
        "consent-list",
        Method::GET,
        "/v1/consents",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "consent-revoke",
        Method::DELETE,
        "/v1/consents/{client_id}",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "openid-configuration",
        Method::GET,
        "/.well-known/openid-configuration",
        Who::Anyone,
        Service::Auth,
    ),
];
