//! The routes of second factors. A ticket proves the first half of a sign-in, so that its bearer needs no token.

use http::Method;

use super::{Row, Service, Who};

pub(super) const ROUTES: &[Row] = &[
    (
        "login-mfa",
        Method::POST,
        "/v1/login/mfa",
        Who::Anyone,
        Service::Auth,
    ),
    (
        "mfa-totp-read",
        Method::GET,
        "/v1/mfa/totp",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "mfa-totp-begin",
        Method::POST,
        "/v1/mfa/totp",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "mfa-totp-confirm",
        Method::POST,
        "/v1/mfa/totp/confirm",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "mfa-totp-remove",
        Method::DELETE,
        "/v1/mfa/totp",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "mfa-recovery-codes-read",
        Method::GET,
        "/v1/mfa/recovery-codes",
        Who::SignedIn,
        Service::Auth,
    ),
    (
        "mfa-recovery-codes-renew",
        Method::POST,
        "/v1/mfa/recovery-codes",
        Who::SignedIn,
        Service::Auth,
    ),
];
