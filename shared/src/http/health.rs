//! `/healthz` (the process) and `/readyz` (the parts that it needs).

use std::collections::BTreeMap;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CACHE_CONTROL;
use serde::Serialize;

/// What a service needs to serve, by name, and whether each is there.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Readiness {
    ready: bool,
    checks: BTreeMap<&'static str, bool>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    notes: BTreeMap<&'static str, bool>,
}

impl Readiness {
    /// Ready if every check holds.
    pub fn of(checks: impl IntoIterator<Item = (&'static str, bool)>) -> Self {
        let checks: BTreeMap<_, _> = checks.into_iter().collect();
        Self {
            ready: checks.values().all(|holds| *holds),
            checks,
            notes: BTreeMap::new(),
        }
    }

    /// The same with something worth knowing that readiness does not hang on.
    #[must_use]
    pub fn noting(mut self, name: &'static str, holds: bool) -> Self {
        self.notes.insert(name, holds);
        self
    }
}

impl IntoResponse for Readiness {
    fn into_response(self) -> Response {
        let status = if self.ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        (status, [(CACHE_CONTROL, "no-store")], Json(self)).into_response()
    }
}

/// `GET /healthz`: the process answers.
#[expect(clippy::unused_async, reason = "handlers are asynchronous")]
pub async fn healthz() -> impl IntoResponse {
    ([(CACHE_CONTROL, "no-store")], "ok\n")
}
