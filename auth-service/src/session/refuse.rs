//! Refused refreshes: what each leaves behind, committed although the answer is an error.

use shared::enforcement::Target;
use shared::event::{Actor, Class, Facts, Outcome, action};

use super::refresh::{Proven, Refresh, RefreshError};
use super::rotation::ReuseCause;
use super::store::{self, EndReason};
use crate::token::TokenAnswer;
use crate::{enforcement, outbox};
use shared::database::Tx;

impl Refresh<'_> {
    /// Ends the session: of two who hold its tokens one is not the user. Committed although the answer is an error.
    pub(super) async fn end_reused(
        &self,
        mut tx: Tx<'static>,
        proven: &Proven,
        cause: ReuseCause,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        let session_id = proven.token.session_id();
        if !store::end(&mut tx, &session_id, EndReason::Reuse, self.now).await? {
            return Ok(None);
        }
        outbox::append(&mut tx, self.now, self.reuse_facts(proven, cause.as_str())).await?;
        let revoked = self
            .context
            .facts(
                Class::Auth,
                action::AUTHN_TOKEN_REVOKED,
                Outcome::Success,
                proven.actor(),
            )
            .because(EndReason::Reuse.as_str())
            .with_detail("sid", session_id.as_str());
        outbox::append(&mut tx, self.now, revoked).await?;
        enforcement::append(&mut tx, &Target::Sid(session_id), self.now).await?;
        self.app.database.commit(tx).await?;
        Err(RefreshError::Refused)
    }

    /// The token was written by us and is ahead of the database: that was restored from a backup. The session is not
    /// ended, since nobody did wrong; the user signs in again.
    pub(super) async fn refuse_rolled_back(
        &self,
        mut tx: Tx<'static>,
        proven: &Proven,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        outbox::append(&mut tx, self.now, self.reuse_facts(proven, "db_rollback")).await?;
        self.app.database.commit(tx).await?;
        Err(RefreshError::Refused)
    }

    /// Both parties: who refreshed last is the event's `detail`, who came now its `client`.
    fn reuse_facts(&self, proven: &Proven, cause: &str) -> Facts {
        let state = &proven.session.state;
        self.context
            .facts(
                Class::Auth,
                action::AUTHN_TOKEN_REUSE,
                Outcome::Denied,
                proven.actor(),
            )
            .because(cause)
            .with_detail("cause", cause)
            .with_detail("presented_counter", proven.token.counter)
            .with_detail("live_counter", state.counter)
            .with_detail("rotated_at", state.rotated_at.to_string())
            .with_detail("rotated_ip", proven.session.rotated_ip.clone())
            .with_detail("rotated_user_agent", proven.session.rotated_user_agent.clone())
    }

    pub(super) async fn refuse(
        &self,
        mut tx: Tx<'static>,
        actor: Actor,
        reason: &str,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        let facts = self
            .context
            .facts(
                Class::Auth,
                action::AUTHN_TOKEN_REFRESH_FAIL,
                Outcome::Failure,
                actor,
            )
            .because(reason);
        outbox::append(&mut tx, self.now, facts).await?;
        self.app.database.commit(tx).await?;
        Err(RefreshError::Refused)
    }
}
