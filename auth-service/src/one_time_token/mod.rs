//! Tokens that are good for one act: the first setup, and setting a password.
//!
//! They have 256 bits and are looked up by their SHA-256, so that neither the database nor the time a look-up takes tells
//! anything about them.

mod store;

use std::time::Duration;

use shared::event::{Actor, Class, Outcome, action};

use crate::app::App;
use crate::error::ApiError;
use crate::request::RequestContext;
use crate::throttle;
pub(crate) use store::{consume, exists, find, is_waiting, replace};

/// What a token is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Making the first administrator.
    Setup,
    /// Setting the password of a user.
    Password,
}

impl Purpose {
    /// How long a token is good: the first is used by whoever reads it off a terminal, the second travels to another person.
    pub(crate) const fn lifetime(self) -> Duration {
        match self {
            Self::Setup => Duration::from_mins(15),
            Self::Password => Duration::from_hours(24),
        }
    }

    /// What its tokens begin with.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Setup => "setup_",
            Self::Password => "pw_",
        }
    }

    /// Its name in the database and in events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Password => "password",
        }
    }
}

/// Records that a token was refused, and returns the refusal.
pub(crate) async fn refuse(app: &App, context: &RequestContext, purpose: Purpose) -> ApiError {
    let facts = context
        .facts(
            Class::Auth,
            action::AUTHN_ONE_TIME_TOKEN_FAIL,
            Outcome::Failure,
            Actor::default(),
        )
        .because("one_time_token_refused")
        .with_detail("purpose", purpose.as_str());
    let recording = async {
        let mut tx = app.database.write().await?;
        throttle::record(&mut tx, app, facts).await?;
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    recording.await.err().unwrap_or(ApiError::OneTimeTokenRefused)
}

/// Deletes what has expired.
pub(crate) async fn purge(app: &App) -> Result<(), ApiError> {
    let mut tx = app.database.write().await?;
    store::delete_expired(&mut tx, app.now()).await?;
    Ok(app.database.commit(tx).await?)
}
