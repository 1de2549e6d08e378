//! The routes to audit-collector's log. Pure.

use http::Method;

use super::{Row, Service, Who};

/// The route to the live tail.
pub(super) const TAIL: &str = "event-stream";

/// What readers of the log do at audit-collector: name, method, template, and the scope that it takes.
const ROUTES: &[(&str, Method, &str, &str)] = &[
    ("event-list", Method::GET, "/v1/events", "audit:read"),
    ("event-read", Method::GET, "/v1/events/{id}", "audit:read"),
    (
        "event-reveal",
        Method::POST,
        "/v1/events/{id}/reveal",
        "audit:identify",
    ),
    ("pseudonym-find", Method::POST, "/v1/pseudonyms", "audit:identify"),
    (TAIL, Method::GET, "/v1/events/stream", "audit:read"),
    ("export", Method::GET, "/v1/export", "audit:export"),
    ("timeline-read", Method::GET, "/v1/timeline", "audit:read"),
    ("stats-summary", Method::GET, "/v1/stats/summary", "audit:read"),
    ("stats-series", Method::GET, "/v1/stats/series", "audit:read"),
    ("stats-top", Method::GET, "/v1/stats/top", "audit:read"),
    ("stats-distinct", Method::GET, "/v1/stats/distinct", "audit:read"),
    ("stats-ratio", Method::GET, "/v1/stats/ratio", "audit:read"),
    (
        "stats-percentiles",
        Method::GET,
        "/v1/stats/percentiles",
        "audit:read",
    ),
    ("stats-heatmap", Method::GET, "/v1/stats/heatmap", "audit:read"),
    ("stats-new", Method::GET, "/v1/stats/new", "audit:read"),
    ("stats-facets", Method::GET, "/v1/stats/facets", "audit:read"),
    (
        "stats-completions",
        Method::GET,
        "/v1/stats/completions",
        "audit:read",
    ),
    ("completeness-read", Method::GET, "/v1/completeness", "audit:read"),
    ("retention-read", Method::GET, "/v1/retention", "audit:read"),
    (
        "retention-change-confirm",
        Method::POST,
        "/v1/retention/changes/{id}/confirm",
        "audit:respond",
    ),
    (
        "retention-change-withdraw",
        Method::POST,
        "/v1/retention/changes/{id}/withdraw",
        "audit:respond",
    ),
    ("hold-list", Method::GET, "/v1/holds", "audit:read"),
    ("hold-add", Method::POST, "/v1/holds", "audit:respond"),
    (
        "hold-release",
        Method::POST,
        "/v1/holds/{id}/release",
        "audit:respond",
    ),
    ("search-list", Method::GET, "/v1/searches", "audit:read"),
    ("search-add", Method::POST, "/v1/searches", "audit:read"),
    ("search-read", Method::GET, "/v1/searches/{id}", "audit:read"),
    ("search-change", Method::PATCH, "/v1/searches/{id}", "audit:read"),
    ("search-delete", Method::DELETE, "/v1/searches/{id}", "audit:read"),
    ("forwarding-read", Method::GET, "/v1/forwarding", "audit:read"),
    ("dead-letter-list", Method::GET, "/v1/dead-letters", "audit:read"),
    (
        "dead-letter-read",
        Method::GET,
        "/v1/dead-letters/{id}",
        "audit:read",
    ),
    (
        "dead-letter-drop",
        Method::DELETE,
        "/v1/dead-letters/{id}",
        "audit:respond",
    ),
    (
        "dead-letter-replay",
        Method::POST,
        "/v1/dead-letters/{id}/replay",
        "audit:respond",
    ),
    ("alert-list", Method::GET, "/v1/alerts", "audit:read"),
    (
        "alert-read",
        Method::GET,
        "/v1/alerts/{fingerprint}",
        "audit:read",
    ),
    (
        "alert-change",
        Method::PATCH,
        "/v1/alerts/{fingerprint}",
        "audit:respond",
    ),
    (
        "alert-note",
        Method::POST,
        "/v1/alerts/{fingerprint}/notes",
        "audit:respond",
    ),
    (
        "alert-respond",
        Method::POST,
        "/v1/alerts/{fingerprint}/responses",
        "audit:respond",
    ),
    (
        "alert-response-undo",
        Method::DELETE,
        "/v1/alerts/{fingerprint}/responses/{id}",
        "audit:respond",
    ),
    (
        "notification-list",
        Method::GET,
        "/v1/notifications",
        "audit:read",
    ),
    (
        "notification-read",
        Method::GET,
        "/v1/notifications/{id}",
        "audit:read",
    ),
    (
        "notification-retry",
        Method::POST,
        "/v1/notifications/{id}/retry",
        "audit:respond",
    ),
    (
        "notification-test",
        Method::POST,
        "/v1/notifications/test",
        "audit:respond",
    ),
    ("rule-list", Method::GET, "/v1/rules", "audit:read"),
    ("rule-read", Method::GET, "/v1/rules/{id}", "audit:read"),
    ("rule-change", Method::PATCH, "/v1/rules/{id}", "rules:write"),
    (
        "rule-backtest",
        Method::POST,
        "/v1/rules/{id}/backtest",
        "rules:write",
    ),
    ("silence-list", Method::GET, "/v1/silences", "audit:read"),
    ("silence-add", Method::POST, "/v1/silences", "rules:write"),
    ("silence-end", Method::DELETE, "/v1/silences/{id}", "rules:write"),
    (
        "dead-letter-replay-many",
        Method::POST,
        "/v1/dead-letters/replay",
        "audit:respond",
    ),
    (
        "dead-letter-drop-many",
        Method::POST,
        "/v1/dead-letters/drop",
        "audit:respond",
    ),
];

/// Them as rows of the whole table.
pub(super) fn rows() -> impl Iterator<Item = Row> {
    let row =
        |(name, method, template, scope)| (name, method, template, Who::Scope(scope), Service::Collector);
    ROUTES.iter().cloned().map(row)
}
