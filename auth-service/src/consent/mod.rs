//! What users have allowed clients of others: asked once, remembered until it is taken back.

mod handler;
mod store;

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Outcome, action};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::authorize::AuthorizationRequest;
use crate::error::ApiError;
use crate::outbox;
use crate::request::RequestContext;

/// `GET /v1/consents` and `DELETE /v1/consents/{client_id}`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::list))
        .routes(routes!(handler::revoke))
}

/// Whether a user has allowed all that is asked for.
pub(crate) async fn covers(
    tx: &mut Tx<'_>,
    user_id: &str,
    request: &AuthorizationRequest,
) -> Result<bool, ApiError> {
    let scope = store::find(tx, user_id, &request.party.id, &request.audience).await?;
    Ok(scope.is_some_and(|granted| is_within(&request.scopes, &granted)))
}

/// Remembers that a user allows what is asked for, beside what it allowed before.
pub(crate) async fn grant(
    tx: &mut Tx<'_>,
    context: &RequestContext,
    (user_id, actor): (&str, Actor),
    request: &AuthorizationRequest,
    now: UtcMicros,
) -> Result<(), ApiError> {
    let client_id = request.party.id.as_str();
    let former = store::find(tx, user_id, client_id, &request.audience).await?;
    let scope = united(former.as_deref().unwrap_or_default(), &request.scopes);
    store::put(tx, user_id, client_id, (&request.audience, &scope), now).await?;
    let facts = context
        .facts(Class::Auth, action::CONSENT_GRANTED, Outcome::Success, actor)
        .with_detail("client_id", client_id)
        .with_detail("aud", request.audience.as_str())
        .with_detail("scope", scope);
    outbox::append(tx, now, facts).await
}

fn is_within(asked: &[String], granted: &str) -> bool {
    asked
        .iter()
        .all(|scope| granted.split_whitespace().any(|granted| granted == scope))
}

fn united(former: &str, asked: &[String]) -> String {
    let mut scopes: Vec<&str> = former.split_whitespace().collect();
    for scope in asked {
        if !scopes.contains(&scope.as_str()) {
            scopes.push(scope);
        }
    }
    scopes.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consent_covers_what_was_allowed_and_no_more() {
        let asked = ["openid".to_owned(), "profile".to_owned()];

        assert!(is_within(&asked, "profile openid audit:read"));
        assert!(!is_within(&asked, "openid"));
        assert!(is_within(&[], ""));
        assert_eq!(united("openid audit:read", &asked), "openid audit:read profile");
    }
}
