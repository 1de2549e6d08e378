//! A code that somebody tries, from its admission to its end: charged before it is verified (decision 0030), wherever it is tried.

use shared::event::{Actor, Class, Outcome, action};

use super::refusal::{FactorRefusal, RefusalCause};
use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::throttle::{self, Bucket, Try};

/// The longest text that is looked at as a code, in bytes.
pub(super) const CODE_BYTES_MAX: usize = 64;

/// A guess that was admitted. It must end by [`Guess::end`].
#[must_use]
pub(crate) struct Guess<'a> {
    app: &'a App,
    context: &'a RequestContext,
    /// Whom the event of a failure names.
    actor: Actor,
    attempt: Try,
}

impl<'a> Guess<'a> {
    /// Charges the user, or refuses because too much failed.
    pub(crate) async fn admit(
        app: &'a App,
        context: &'a RequestContext,
        (user_id, actor): (&str, Actor),
        typed: &str,
    ) -> Result<Self, ApiError> {
        if typed.len() > CODE_BYTES_MAX {
            return Err(ApiError::BodyInvalid(
                "the code is longer than a code may be".into(),
            ));
        }
        let bucket = Bucket::second_factor(&app.bucket_key, user_id);
        let attempt = throttle::admit(app, context, vec![bucket], Vec::new()).await?;
        Ok(Self {
            app,
            context,
            actor,
            attempt,
        })
    }

    /// Ends it by what came of it. A right code forgives the wrong ones before it.
    pub(crate) async fn end<T>(self, came: Result<Result<T, RefusalCause>, ApiError>) -> Result<T, ApiError> {
        match came {
            Ok(Ok(accepted)) => {
                let mut tx = self.app.database.write().await?;
                self.attempt.succeeded(&mut tx, self.app.now()).await?;
                tx.commit().await?;
                Ok(accepted)
            }
            Ok(Err(cause)) => {
                let facts = self
                    .context
                    .facts(Class::Auth, action::AUTHN_MFA_FAIL, Outcome::Failure, self.actor)
                    .because(cause.as_str());
                self.attempt.failed(self.app, self.context, facts).await?;
                Err(FactorRefusal::CodeRefused.into())
            }
            Err(error) => {
                self.attempt.came_to_nothing(self.app).await?;
                Err(error)
            }
        }
    }
}
