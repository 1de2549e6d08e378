//! Asks the servers of a pool whether they are well.

use std::sync::{Arc, Weak};

use axum::body::Body;
use http::header::USER_AGENT;
use http::{Request, Uri};

use super::Pool;
use crate::policy::{HealthCheck, Server};

/// Checks every server of the pool until the pool is gone.
pub(super) async fn check_while_used(pool: Weak<Pool>) {
    loop {
        let Some(pool) = pool.upgrade() else { return };
        let Some(check) = pool.upstream.health.clone() else {
            return;
        };
        check_all(&pool, &check).await;
        drop(pool);
        tokio::time::sleep(check.interval).await;
    }
}

async fn check_all(pool: &Arc<Pool>, check: &HealthCheck) {
    let checks = pool.members.iter().enumerate().map(|(index, member)| async move {
        let is_good = is_well(pool, &member.server, check).await;
        pool.note(index, |wellness| wellness.note_check(is_good, check));
    });
    futures_util::future::join_all(checks).await;
}

async fn is_well(pool: &Pool, server: &Server, check: &HealthCheck) -> bool {
    let uri = Uri::builder()
        .scheme(server.scheme.clone())
        .authority(server.authority.clone())
        .path_and_query(check.path.clone())
        .build();
    let request = uri.map(|uri| {
        Request::get(uri)
            .header(USER_AGENT, "gatelog-health")
            .body(Body::empty())
    });
    let Ok(Ok(request)) = request else { return false };
    let answer = tokio::time::timeout(check.timeout, pool.client.request(request)).await;
    matches!(answer, Ok(Ok(answer)) if answer.status().is_success())
}
