//! Opens a session for who has just proved who it is: the first pair of its tokens.

use shared::clock::UtcMicros;
use shared::event::{Class, Outcome};

use super::end::{EndReason, Ending, end_beyond_limit};
use super::refresh_token::RefreshToken;
use super::store::{self, NewSession, SEED_BYTES};
use crate::app::App;
use crate::authorize::scope::is_of_openid;
use crate::error::{ApiError, Internal};
use crate::request::RequestContext;
use crate::secret;
use crate::sign_in::Authentication;
use crate::token::{Grant, TokenAnswer, mint_signed};
use crate::user::Account;
use crate::{enforcement, outbox};
use shared::database::Tx;

/// What a session is opened for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NewGrant<'a> {
    pub(crate) client_id: &'a str,
    pub(crate) audience: &'a str,
    /// The scopes that its tokens have at most; without a bound all of the user's roles.
    pub(crate) scopes: Option<&'a [String]>,
    /// The action of the event that tells of the session.
    pub(crate) action: &'static str,
}

/// A session that is open once the caller's transaction is committed.
pub(crate) struct Opened {
    pub(crate) answer: TokenAnswer,
    pub(crate) sid: String,
    pub(crate) account: Account,
    pub(crate) authenticated_at: UtcMicros,
    pub(crate) amr: String,
}

/// Opens a session in the caller's transaction, as the last thing in it; `None` if what was proved does not hold any more.
pub(crate) async fn open(
    tx: &mut Tx<'_>,
    app: &App,
    context: &RequestContext,
    authentication: &Authentication,
    new: &NewGrant<'_>,
) -> Result<Option<Opened>, ApiError> {
    let now = app.now();
    let whose = (authentication.account.id.as_str(), new.client_id);
    let issue_at = enforcement::issue_at(tx, whose, now).await?;
    let Some(account) = authentication.current_account(tx).await? else {
        return Ok(None);
    };
    let (first, sid) = RefreshToken::first(secret::fresh_bytes().map_err(Internal::from)?);
    let seed: [u8; SEED_BYTES] = secret::fresh_bytes().map_err(Internal::from)?;
    let amr = authentication.amr();
    let scopes = bounded_scopes(&account.scopes, new.scopes);
    let grant = Grant {
        sub: &account.id,
        username: &account.username,
        roles: &account.roles,
        scopes: &scopes,
        client_id: new.client_id,
        audience: new.audience,
        sid: &sid,
        authenticated_at: authentication.authenticated_at,
        amr: &amr,
    };
    let minted = mint_signed(app, context, &grant, issue_at)?;
    let session = NewSession {
        id: &sid,
        grant: &grant,
        scopes: new.scopes,
        seed: &seed,
        counter: first.counter,
        client: &context.client,
    };
    store::insert(tx, &session, now).await?;
    let opened = context
        .facts(Class::Auth, new.action, Outcome::Success, grant.actor())
        .with_detail("aud", new.audience)
        .with_detail("amr", amr.as_str());
    outbox::append_both(tx, now, (opened, minted.event)).await?;
    let answer = TokenAnswer::bearer(
        minted.token,
        app.mint_rules.lifetime_seconds,
        Some(first.encode(&app.refresh_key, &seed)),
        grant.scope(),
    );
    let ending = Ending {
        context,
        actor: &grant.actor(),
        reason: EndReason::TooMany,
        decision: None,
        now,
    };
    end_beyond_limit(tx, &account.id, &ending).await?;
    Ok(Some(Opened {
        answer,
        authenticated_at: authentication.authenticated_at,
        amr,
        sid,
        account,
    }))
}

/// The user's scopes, of those that were granted if not all were. Roles may lose a scope later, so that both count. Scopes of
/// OpenID Connect come from no role: what was granted of them is what there is.
pub(super) fn bounded_scopes(of_user: &[String], granted: Option<&[String]>) -> Vec<String> {
    let is_granted = |scope: &&String| granted.is_none_or(|granted| granted.contains(scope));
    let of_openid = granted
        .unwrap_or_default()
        .iter()
        .filter(|scope| is_of_openid(scope));
    let of_roles = of_user.iter().filter(is_granted);
    of_openid.chain(of_roles).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_has_the_scopes_that_the_user_has_and_that_were_granted() {
        let scopes = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        let of_user = scopes("admin audit:read");

        assert_eq!(bounded_scopes(&of_user, None), of_user);
        assert_eq!(
            bounded_scopes(&of_user, Some(&scopes("audit:read rules:write"))),
            scopes("audit:read")
        );
        assert!(bounded_scopes(&of_user, Some(&[])).is_empty());
    }
}
