//! Refused refreshes: what each leaves behind, committed although the answer is an error.

use shared::event::{Actor, Class, Facts, Outcome, action};

use super::end::{EndReason, Ending, end};
use super::refresh::{Proven, Refresh, RefreshError};
use super::rotation::ReuseCause;
use crate::token::TokenAnswer;
use crate::{outbox, throttle};
use shared::database::Tx;

impl Refresh<'_> {
    /// Ends the session: of two who hold its tokens one is not the user. Committed although the answer is an error.
    pub(super) async fn end_reused(
        &self,
        mut tx: Tx<'static>,
        proven: &Proven,
        cause: ReuseCause,
    ) -> Result<Option<TokenAnswer>, RefreshError> {
        let actor = proven.actor();
        let ending = Ending {
            context: self.context,
            actor: &actor,
            reason: EndReason::Reuse,
            decision: None,
            now: self.now,
        };
        outbox::append(&mut tx, self.now, self.reuse_facts(proven, cause.as_str())).await?;
        if !end(&mut tx, &proven.token.session_id(), &ending).await? {
            return Ok(None);
        }
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

    fn reuse_facts(&self, proven: &Proven, cause: &str) -> Facts {
        let state = &proven.session.state;
        let facts = self
            .context
            .facts(
                Class::Auth,
                action::AUTHN_TOKEN_REUSE,
                Outcome::Denied,
                proven.actor(),
            )
            .because(cause)
            .with_detail("cause", cause)
            .with_detail("presented_counter", proven.token.counter)
            .with_detail("live_counter", state.counter);
        Self::with_former_party(facts, proven)
    }

    /// Both parties: who refreshed last is the event's `detail`, who came now its `client`.
    pub(super) fn with_former_party(facts: Facts, proven: &Proven) -> Facts {
        facts
            .with_detail("rotated_at", proven.session.state.rotated_at.to_string())
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
        // Anybody can send what proves nothing, or a token that is over, as fast as the network carries it.
        throttle::record(&mut tx, self.app, facts).await?;
        self.app.database.commit(tx).await?;
        Err(RefreshError::Refused)
    }
}
