//! The routes of what administrators do at auth-service.

use http::Method;

/// What administrators do at auth-service: name, method, template.
pub(super) const ROUTES: &[(&str, Method, &str)] = &[
    ("user-create", Method::POST, "/v1/admin/users"),
    ("user-list", Method::GET, "/v1/admin/users"),
    ("user-read", Method::GET, "/v1/admin/users/{id}"),
    ("user-update", Method::PATCH, "/v1/admin/users/{id}"),
    ("user-delete", Method::DELETE, "/v1/admin/users/{id}"),
    (
        "user-password-reset",
        Method::POST,
        "/v1/admin/users/{id}/password-reset",
    ),
    ("user-mfa-reset", Method::DELETE, "/v1/admin/users/{id}/mfa"),
    ("role-list", Method::GET, "/v1/admin/roles"),
    ("role-create", Method::POST, "/v1/admin/roles"),
    ("role-update", Method::PATCH, "/v1/admin/roles/{name}"),
    ("role-delete", Method::DELETE, "/v1/admin/roles/{name}"),
    ("user-session-list", Method::GET, "/v1/admin/sessions"),
    ("user-sessions-end", Method::DELETE, "/v1/admin/sessions"),
    ("user-session-end", Method::DELETE, "/v1/admin/sessions/{id}"),
    ("key-list", Method::GET, "/v1/admin/keys"),
    ("lockout-list", Method::GET, "/v1/admin/lockouts"),
    ("key-rotate", Method::POST, "/v1/admin/keys/rotate"),
    ("key-revoke", Method::POST, "/v1/admin/keys/{kid}/revoke"),
    ("lockout-clear", Method::DELETE, "/v1/admin/lockouts/{id}"),
    ("client-list", Method::GET, "/v1/admin/clients"),
    ("client-create", Method::POST, "/v1/admin/clients"),
    ("client-read", Method::GET, "/v1/admin/clients/{id}"),
    ("client-update", Method::PATCH, "/v1/admin/clients/{id}"),
    ("client-delete", Method::DELETE, "/v1/admin/clients/{id}"),
    (
        "client-secret-create",
        Method::POST,
        "/v1/admin/clients/{id}/secrets",
    ),
    (
        "client-secret-delete",
        Method::DELETE,
        "/v1/admin/clients/{id}/secrets/{secret}",
    ),
];
