//! Refresh: the live token for its successor, the one just replaced for the same successor, an older one for the end of
//! the session.

use shared::clock::UtcMicros;
use shared::event::Actor;
use shared::token::GATELOG_AUDIENCE;

use super::open::bounded_scopes;
use super::refresh_token::{RefreshToken, Unverified};
use super::rotation::{Verdict, judge};
use super::store::{self, Session};
use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::token::{Grant, TokenAnswer, mint_signed};
use crate::user::{self, Account};
use crate::{enforcement, outbox};
use shared::database::{DatabaseError, Tx};

/// How often to look again when others refresh the same session; the second look finds it moved on already.
const ATTEMPTS_MAX: u32 = 4;

/// What a client presents.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    pub(crate) token: &'a str,
    /// Who presents it, as far as it has proved that.
    pub(crate) client_id: &'a str,
    pub(crate) scope: Option<&'a str>,
}

/// Why there are no tokens.
#[derive(Debug)]
pub(crate) enum RefreshError {
    /// The token is not good, or not any more. The client is not told which.
    Refused,
    /// More scopes were asked for than the user's roles have.
    ScopeExceeded,
    /// A failure of ours.
    Failed(ApiError),
}

impl From<ApiError> for RefreshError {
    fn from(error: ApiError) -> Self {
        Self::Failed(error)
    }
}

impl From<DatabaseError> for RefreshError {
    fn from(error: DatabaseError) -> Self {
        Self::Failed(error.into())
    }
}

/// Exchanges a refresh token. Every outcome is an event, committed together with what it changed.
pub(crate) async fn refresh(
    app: &App,
    context: &RequestContext,
    presented: &Presented<'_>,
) -> Result<TokenAnswer, RefreshError> {
    let request = Refresh {
        app,
        context,
        presented,
        now: app.now(),
    };
    for _ in 0..ATTEMPTS_MAX {
        if let Some(answer) = request.attempt().await? {
            return Ok(answer);
        }
    }
    tracing::warn!("a session moved on at every attempt to refresh it");
    Err(RefreshError::Refused)
}

/// How a token came about.
#[derive(Clone, Copy)]
enum How {
    Rotate,
    /// The one just replaced came again.
    Repeat,
}

/// One request for a refresh.
pub(super) struct Refresh<'a> {
    pub(super) app: &'a App,
    pub(super) context: &'a RequestContext,
    presented: &'a Presented<'a>,
    pub(super) now: UtcMicros,
}

/// A session whose token was proven, and its user as of now.
pub(super) struct Proven {
    pub(super) token: RefreshToken,
    pub(super) session: Session,
    account: Account,
    /// When a token for it may be issued.
    issue_at: UtcMicros,
}

impl Proven {
    fn grant<'g>(&'g self, session_id: &'g str, scopes: &'g [String]) -> Grant<'g> {
        Grant {
            sub: &self.account.id,
            username: &self.account.username,
            roles: &self.account.roles,
            scopes,
            client_id: &self.session.client_id,
            audience: &self.session.audience,
            sid: session_id,
            authenticated_at: self.session.state.authenticated_at,
            amr: &self.session.amr,
        }
    }

    pub(super) fn actor(&self) -> Actor {
        let session_id = self.token.session_id();
        self.grant(&session_id, &[]).actor()
    }
}

impl Refresh<'_> {
    /// `None` if the session moved on between the look and the step.
    async fn attempt(&self) -> Result<Option<TokenAnswer>, RefreshError> {
        let mut tx = self.app.database.write().await?;
        let Some(proven) = self.prove(&mut tx).await? else {
            return self.refuse(tx, Actor::default(), "refresh_token_invalid").await;
        };
        let context = &self.context.client;
        let is_same_client = proven.session.rotated_ip == context.ip
            && proven.session.rotated_user_agent == context.user_agent;
        match judge(
            &proven.session.state,
            proven.token.counter,
            is_same_client,
            self.now,
        ) {
            Verdict::Rotate | Verdict::Repeat if proven.account.is_disabled => {
                self.refuse(tx, proven.actor(), "user_disabled").await
            }
            Verdict::Rotate | Verdict::Repeat if !self.is_known_audience(&proven.session.audience) => {
                self.refuse(tx, proven.actor(), "audience_unknown").await
            }
            Verdict::Rotate => self.rotate(tx, &proven).await,
            Verdict::Repeat => {
                self.answer(tx, &proven, proven.session.state.counter, How::Repeat)
                    .await
            }
            Verdict::Reuse(cause) => self.end_reused(tx, &proven, cause).await,
            Verdict::FromTheFuture => self.refuse_rolled_back(tx, &proven).await,
            Verdict::Ended => self.refuse(tx, proven.actor(), "session_ended").await,
            Verdict::Expired => self.refuse(tx, proven.actor(), "session_expired").await,
        }
    }

    /// Finds the session that the token names and proves that it is one of its tokens, for the client that presents it.
    async fn prove(&self, tx: &mut Tx<'_>) -> Result<Option<Proven>, RefreshError> {
        let Some(unverified) = Unverified::parse(self.presented.token) else {
            return Ok(None);
        };
        let Some(session) = store::find(tx, &unverified.session_id()).await? else {
            return Ok(None);
        };
        let Some(token) = unverified.verify(&self.app.refresh_key, &session.seed) else {
            return Ok(None);
        };
        if self.presented.client_id != session.client_id {
            return Ok(None);
        }
        let whose = (session.user_id.as_str(), session.client_id.as_str());
        let issue_at = enforcement::issue_at(tx, whose, self.now).await?;
        let account = user::find(tx, &session.user_id).await?;
        Ok(account.map(|account| Proven {
            token,
            session,
            account,
            issue_at,
        }))
    }

    fn is_known_audience(&self, audience: &String) -> bool {
        audience == GATELOG_AUDIENCE || self.app.audiences.contains(audience)
    }

    async fn rotate(
        &self,
        mut tx: Tx<'static>,
        proven: &Proven,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        let (session_id, counter) = (proven.token.session_id(), proven.token.counter);
        // Asked before anything moves: a refused scope must not use the token up.
        self.scopes(proven)?;
        let client = &self.context.client;
        if !store::rotate(&mut tx, &session_id, counter, client, self.now).await? {
            return Ok(None);
        }
        self.answer(tx, proven, counter + 1, How::Rotate).await
    }

    /// The scopes asked for, or all that the session may have (RFC 6749 §6).
    fn scopes(&self, proven: &Proven) -> Result<Vec<String>, RefreshError> {
        let granted = bounded_scopes(&proven.account.scopes, proven.session.scopes.as_deref());
        let Some(asked) = self.presented.scope else {
            return Ok(granted);
        };
        let asked: Vec<String> = asked.split(' ').map(str::to_owned).collect();
        if asked.iter().all(|scope| granted.contains(scope)) {
            Ok(asked)
        } else {
            Err(RefreshError::ScopeExceeded)
        }
    }

    /// Answers with the refresh token of `counter` and a fresh access token.
    async fn answer(
        &self,
        mut tx: Tx<'static>,
        proven: &Proven,
        counter: u64,
        how: How,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        let session_id = proven.token.session_id();
        let scopes = self.scopes(proven)?;
        let grant = proven.grant(&session_id, &scopes);
        let minted = mint_signed(self.app, self.context, &grant, proven.issue_at)?;
        let event = match how {
            How::Rotate => minted.event.with_detail("refresh", "rotate"),
            How::Repeat => Self::with_former_party(minted.event.with_detail("refresh", "repeat"), proven),
        };
        outbox::append(&mut tx, self.now, event).await?;
        self.app.database.commit(tx).await?;
        let successor = proven.token.with_counter(counter);
        Ok(Some(TokenAnswer::bearer(
            minted.token,
            self.app.mint_rules.lifetime_seconds,
            Some(successor.encode(&self.app.refresh_key, &proven.session.seed)),
            grant.scope(),
        )))
    }
}
