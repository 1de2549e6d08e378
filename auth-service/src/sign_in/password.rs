//! A name and a password: one verification on every path, and one answer for all who fail.

use shared::event::{Actor, Class, Identity, Outcome, action, bounded};

use super::{Authentication, Method};
use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::password::PASSWORD_BYTES_MAX;
use crate::request::RequestContext;
use crate::user;

/// The longest typed name that goes into an event, in bytes.
const TYPED_NAME_MAX: usize = 128;

/// Checks a name and a password.
///
/// A name that nobody has and a disabled user cost the same verification as a wrong password, and get the same answer.
/// A failure is recorded here; a success by whatever is opened for it.
pub(crate) async fn password(
    app: &App,
    context: &RequestContext,
    username: &str,
    password: String,
) -> Result<Authentication, ApiError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::BodyInvalid(
            "the password is longer than a password may be".into(),
        ));
    }
    let mut tx = app.database.read().await?;
    let account = user::find_by_name(&mut tx, username).await?;
    drop(tx);
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let is_right = app.hasher.verify(password, stored).await?;
    match account {
        Some(account) if is_right && !account.is_disabled => Ok(Authentication {
            account,
            methods: vec![Method::Password],
            authenticated_at: app.now(),
        }),
        _ => Err(refuse(app, context, username).await),
    }
}

/// Records that a sign-in failed, and returns the refusal.
pub(crate) async fn refuse(app: &App, context: &RequestContext, typed: &str) -> ApiError {
    let actor = Actor {
        identity: Identity::Claimed,
        username: Some(bounded(typed, TYPED_NAME_MAX)),
        ..Actor::default()
    };
    let facts = context
        .facts(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure, actor)
        .because("bad_credentials");
    let recording = async {
        let mut tx = app.database.write().await?;
        outbox::append(&mut tx, app.now(), facts).await?;
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    recording.await.err().unwrap_or(ApiError::BadCredentials)
}
