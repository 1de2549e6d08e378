//! Tokens that a client gets for itself (`client_credentials`, RFC 6749 §4.4), and an API key for its owner.

use shared::event::Actor;
use shared::token::{AccessClaims, GATELOG_AUDIENCE};

use super::{Minted, OAuthError, TokenAnswer, jti, sign_claims};
use crate::app::App;
use crate::client::{self, Client, GrantType};
use crate::error::{ApiError, Internal};
use crate::request::RequestContext;
use crate::user::{self, Account};
use crate::{enforcement, outbox};
use shared::database::Tx;

/// Scopes that mean something to Gatelog's own end points and to nobody else.
pub(crate) const GATELOG_SCOPES: [&str; 9] = [
    "admin",
    "audit:read",
    "audit:write",
    "audit:export",
    "audit:respond",
    "audit:identify",
    "rules:write",
    user::ENFORCEMENT_SCOPE,
    INTROSPECT_SCOPE,
];

/// The scope of a client that may ask about tokens.
pub(crate) const INTROSPECT_SCOPE: &str = "introspect";

/// What a client asks for.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) resource: Option<&'a str>,
    pub(super) scope: Option<&'a str>,
}

/// Mints an access token for a client that has proved who it is. There is no refresh token: it can ask again.
pub(super) async fn grant(
    app: &App,
    context: &RequestContext,
    client: &Client,
    asked: Asked<'_>,
) -> Result<TokenAnswer, OAuthError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    let sub = client.owner.as_deref().unwrap_or(&client.id);
    let issue_at = enforcement::issue_at(&mut tx, (sub, &client.id), now)
        .await
        .map_err(ApiError::from)?
        .as_seconds();
    // Asked again in this transaction: it may have been changed or disabled since it proved who it is.
    let client = match client::find(&mut tx, &client.id).await? {
        Some(client) if !client.disabled => client,
        _ => return Err(OAuthError::InvalidClient),
    };
    if !client.may(GrantType::ClientCredentials) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let owner = owner(&mut tx, &client).await?;
    let audience = audience(app, &client, asked.resource)?;
    let may = scopes_for(audience, &client.scopes, owner.as_ref());
    let scope = narrowed(&may, asked.scope)?.join(" ");
    let claims = AccessClaims {
        iss: app.mint_rules.issuer.clone(),
        sub: owner
            .as_ref()
            .map_or(&client.id, |account| &account.id)
            .to_owned(),
        aud: vec![audience.to_owned()],
        exp: issue_at + i64::from(app.mint_rules.lifetime_seconds),
        iat: issue_at,
        jti: jti().map_err(|error| ApiError::from(Internal::from(error)))?,
        client_id: client.id.clone(),
        sid: None,
        scope,
        // Roles would give the bearer of a key more than the key's own scopes.
        roles: Vec::new(),
        username: owner.as_ref().map(|account| account.username.clone()),
        auth_time: None,
        amr: Vec::new(),
        acr: None,
    };
    let scope = claims.scope.clone();
    let actor = Actor {
        username: claims.username.clone(),
        ..client.actor()
    };
    let Minted { token, event } = sign_claims(app, context, claims, actor, now)?;
    let event = event.with_detail("grant", GrantType::ClientCredentials.as_str());
    outbox::append(&mut tx, now, event).await?;
    app.database.commit(tx).await?;
    Ok(TokenAnswer::bearer(
        token,
        app.mint_rules.lifetime_seconds,
        None,
        scope,
    ))
}

/// The user for whom an API key acts, as of now.
async fn owner(tx: &mut Tx<'_>, client: &Client) -> Result<Option<Account>, OAuthError> {
    let Some(owner) = &client.owner else {
        return Ok(None);
    };
    match user::find(tx, owner).await? {
        Some(account) if !account.is_disabled => Ok(Some(account)),
        _ => Err(OAuthError::InvalidClient),
    }
}

/// The resource that is asked for, or else the client's first audience (RFC 8707 §2).
fn audience<'c>(app: &App, client: &'c Client, resource: Option<&str>) -> Result<&'c str, OAuthError> {
    let found = match resource {
        Some(resource) => client.audiences.iter().find(|own| *own == resource),
        None => client.audiences.first(),
    };
    found
        .filter(|audience| app.knows_audience(audience))
        .map(String::as_str)
        .ok_or(OAuthError::InvalidTarget)
}

/// The client's scopes for that audience: Gatelog's own go to Gatelog alone, and a key has none that its owner has not.
fn scopes_for<'s>(audience: &str, scopes: &'s [String], owner: Option<&Account>) -> Vec<&'s str> {
    scopes
        .iter()
        .map(String::as_str)
        .filter(|scope| audience == GATELOG_AUDIENCE || !GATELOG_SCOPES.contains(scope))
        .filter(|scope| owner.is_none_or(|account| account.scopes.iter().any(|own| own == scope)))
        .collect()
}

/// What is asked for, or all that there is.
fn narrowed<'s>(may: &[&'s str], asked: Option<&str>) -> Result<Vec<&'s str>, OAuthError> {
    let Some(asked) = asked else {
        return Ok(may.to_vec());
    };
    let mut scopes: Vec<&str> = Vec::new();
    for scope in asked.split(' ').filter(|scope| !scope.is_empty()) {
        let own = may
            .iter()
            .find(|own| **own == scope)
            .ok_or(OAuthError::InvalidScope)?;
        if !scopes.contains(own) {
            scopes.push(own);
        }
    }
    Ok(scopes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn gatelog_s_own_scopes_go_to_gatelog_alone() {
        let scopes = list("audit:read audit:write orders:read");

        assert_eq!(
            scopes_for("gatelog", &scopes, None),
            ["audit:read", "audit:write", "orders:read"]
        );
        assert_eq!(scopes_for("orders", &scopes, None), ["orders:read"]);
    }

    #[test]
    fn a_key_has_no_scope_that_its_owner_has_not() {
        let owner = Account {
            id: "usr_1".into(),
            username: "alice".into(),
            password_hash: None,
            is_disabled: false,
            roles: Vec::new(),
            scopes: list("audit:read"),
            has_second_factor: false,
        };

        let scopes = list("audit:read admin");
        assert_eq!(scopes_for("gatelog", &scopes, Some(&owner)), ["audit:read"]);
    }

    #[test]
    fn more_than_there_is_is_refused_and_less_is_given() {
        let may = ["a", "b"];

        assert_eq!(narrowed(&may, None).unwrap(), ["a", "b"]);
        assert_eq!(narrowed(&may, Some("b  b")).unwrap(), ["b"]);
        for wrong in ["c", "a c", "A"] {
            assert!(matches!(
                narrowed(&may, Some(wrong)),
                Err(OAuthError::InvalidScope)
            ));
        }
    }
}
