//! A password that was right, and its try, which has not ended yet.

use shared::clock::UtcMicros;
use shared::database::Tx;

use super::Authentication;
use super::password::failure;
use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::throttle::Try;
use crate::user;

/// A user who has proved who it is by a password. The try ends with what is opened for it, in one transaction, by
/// [`Proven::succeeded`]; what opens nothing ends it by [`Proven::end`] or [`Proven::at_once`].
#[must_use]
pub(crate) struct Proven {
    pub(crate) authentication: Authentication,
    pub(super) attempt: Try,
}

impl Proven {
    /// The try succeeds with the caller's transaction. Call it last in it, and only after it has locked the user: whoever locks
    /// both does it in that order.
    pub(crate) async fn succeeded(&self, tx: &mut Tx<'_>, now: UtcMicros) -> Result<(), ApiError> {
        self.attempt.succeeded(tx, now).await
    }

    /// What was opened, once its transaction is over; `None` if what was proved did not hold any more, which is a failure like
    /// any other. What came to nothing by a fault of ours was not tried.
    pub(crate) async fn end<T>(
        self,
        app: &App,
        context: &RequestContext,
        opened: Result<Option<T>, ApiError>,
    ) -> Result<T, ApiError> {
        match opened {
            Ok(Some(opened)) => Ok(opened),
            Ok(None) => {
                let facts = failure(context, &self.authentication.account.username);
                let recorded = self.attempt.failed(app, context, facts).await;
                Err(recorded.err().unwrap_or(ApiError::BadCredentials))
            }
            Err(error) => {
                self.attempt.came_to_nothing(app).await?;
                Err(error)
            }
        }
    }

    /// The try succeeds before anything is done for it.
    pub(crate) async fn at_once(self, app: &App) -> Result<Authentication, ApiError> {
        let mut tx = app.database.write().await?;
        user::lock(&mut tx, &self.authentication.account.id).await?;
        self.attempt.succeeded(&mut tx, app.now()).await?;
        tx.commit().await?;
        Ok(self.authentication)
    }
}
