//! A code for tokens: once, by the client that it was issued for, who alone knows the verifier.

use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Identity, Outcome, action};

use super::pkce;
use super::scope;
use super::store::{self, Code};
use crate::app::App;
use crate::browser_session;
use crate::error::ApiError;
use crate::openid::{self, IdTokenFacts};
use crate::outbox;
use crate::request::RequestContext;
use crate::secret::sha256;
use crate::session::{self, EndReason, Ending, NewGrant, Opened};
use crate::throttle;
use crate::token::{OAuthError, TokenAnswer};

/// What a client presents, and who it was found to be.
#[derive(Clone, Copy)]
pub(crate) struct Presentation<'a> {
    pub(crate) code: &'a str,
    pub(crate) verifier: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) client_id: &'a str,
    /// Ours: it gets a refresh token without asking for `offline_access`.
    pub(crate) is_first_party: bool,
}

/// Exchanges a code. What a refusal leaves behind is committed although the answer is an error.
pub(crate) async fn redeem(
    app: &App,
    context: &RequestContext,
    presented: &Presentation<'_>,
) -> Result<TokenAnswer, OAuthError> {
    let redemption = Redemption {
        app,
        context,
        presented,
        hash: sha256(presented.code),
        now: app.now(),
    };
    let mut tx = app.database.write().await.map_err(ApiError::from)?;
    let answer = redemption.exchange(&mut tx).await?;
    app.database.commit(tx).await.map_err(ApiError::from)?;
    answer.ok_or(OAuthError::InvalidGrant)
}

struct Redemption<'a> {
    app: &'a App,
    context: &'a RequestContext,
    presented: &'a Presentation<'a>,
    hash: Vec<u8>,
    now: UtcMicros,
}

impl Redemption<'_> {
    /// `None` if there is nothing to get, with what that leaves behind in the transaction.
    async fn exchange(&self, tx: &mut Tx<'_>) -> Result<Option<TokenAnswer>, ApiError> {
        let Some(code) = store::find(tx, &self.hash).await? else {
            return self.refuse(tx, None, "code_unknown").await;
        };
        if code.client_id != self.presented.client_id {
            return self.refuse(tx, Some(&code), "client_differs").await;
        }
        if code.is_redeemed() {
            return self.refuse_reused(tx, &code).await;
        }
        if let Some(fault) = self.fault(&code) {
            return self.refuse(tx, Some(&code), fault).await;
        }
        if !store::redeem(tx, &self.hash, self.now).await? {
            // Somebody was faster, and its session is committed by now.
            return match store::find(tx, &self.hash).await? {
                Some(code) if code.is_redeemed() => self.refuse_reused(tx, &code).await,
                _ => self.refuse(tx, Some(&code), "code_unknown").await,
            };
        }
        let Some(authentication) = browser_session::authentication(tx, &code.browser_session_id).await?
        else {
            return self.refuse(tx, Some(&code), "session_ended").await;
        };
        let scopes: Vec<String> = code.scope.split_whitespace().map(str::to_owned).collect();
        let grant = NewGrant {
            client_id: &code.client_id,
            audience: &code.audience,
            scopes: Some(&scopes),
            action: action::SESSION_CREATED,
        };
        match Box::pin(session::open(tx, self.app, self.context, &authentication, &grant)).await? {
            Some(opened) => {
                store::set_session(tx, &self.hash, &opened.sid).await?;
                self.answer(&code, &scopes, opened).map(Some)
            }
            None => self.refuse(tx, Some(&code), "session_ended").await,
        }
    }

    fn fault(&self, code: &Code) -> Option<&'static str> {
        if code.is_expired(self.now) {
            Some("code_expired")
        } else if code.redirect_uri != self.presented.redirect_uri {
            Some("redirect_uri_differs")
        } else if !pkce::proves(&code.challenge, self.presented.verifier) {
            Some("code_verifier_wrong")
        } else {
            None
        }
    }

    fn answer(&self, code: &Code, scopes: &[String], opened: Opened) -> Result<TokenAnswer, ApiError> {
        let has = |scope: &str| scopes.iter().any(|granted| granted == scope);
        let mut answer = opened.answer;
        if has(scope::OPENID) {
            let facts = IdTokenFacts {
                account: &opened.account,
                client_id: &code.client_id,
                authenticated_at: opened.authenticated_at,
                amr: &opened.amr,
                nonce: code.nonce.as_deref(),
                sid: &opened.sid,
                access_token: &answer.access_token,
                tells_name: has(scope::PROFILE),
            };
            answer.id_token = Some(openid::id_token(self.app, &facts, self.now)?);
        }
        if !self.presented.is_first_party && !has(scope::OFFLINE_ACCESS) {
            answer.refresh_token = None;
        }
        Ok(answer)
    }

    /// Of two who hold a code one is not the client: the session that was opened from it ends (RFC 6749 §4.1.2).
    async fn refuse_reused(&self, tx: &mut Tx<'_>, code: &Code) -> Result<Option<TokenAnswer>, ApiError> {
        let sid = match &code.session_id {
            Some(sid) if !session::has_ended(tx, sid).await? => sid,
            // The alarm was raised when there was something to end.
            _ => return self.refuse(tx, Some(code), "code_used").await,
        };
        let actor = Actor {
            sid: Some(sid.clone()),
            ..claimed(Some(code), self.presented.client_id)
        };
        let facts = self
            .context
            .facts(
                Class::Auth,
                action::AUTHN_CODE_REUSE,
                Outcome::Denied,
                actor.clone(),
            )
            .because(EndReason::CodeReuse.as_str());
        outbox::append(tx, self.now, facts).await?;
        let ending = Ending {
            context: self.context,
            actor: &actor,
            reason: EndReason::CodeReuse,
            decision: None,
            now: self.now,
        };
        session::end(tx, sid, &ending).await?;
        Ok(None)
    }

    async fn refuse(
        &self,
        tx: &mut Tx<'_>,
        code: Option<&Code>,
        reason: &'static str,
    ) -> Result<Option<TokenAnswer>, ApiError> {
        let actor = claimed(code, self.presented.client_id);
        let facts = self
            .context
            .facts(Class::Auth, action::AUTHN_CODE_FAIL, Outcome::Failure, actor)
            .because(reason);
        // Anybody can send what is no code, or one that is over, as fast as the network carries it.
        throttle::record(tx, self.app, facts).await?;
        Ok(None)
    }
}

/// Whoever presents a code need not be the one it was issued for.
fn claimed(code: Option<&Code>, client_id: &str) -> Actor {
    Actor {
        identity: Identity::Claimed,
        sub: code.map(|code| code.user_id.clone()),
        client_id: Some(client_id.to_owned()),
        ..Actor::default()
    }
}
