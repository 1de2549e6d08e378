//! A name and a password: one verification on every path, and one answer for all who fail.

use shared::event::{Actor, Class, Facts, Identity, Outcome, action, bounded};

use zeroize::Zeroizing;

use super::{Authentication, Method, Proven};
use crate::app::App;
use crate::error::ApiError;
use crate::outbox;
use crate::password::PASSWORD_BYTES_MAX;
use crate::request::RequestContext;
use crate::throttle::{self, Bucket, Try};
use crate::user::{self, Account};

/// The longest typed name that goes into an event, in bytes.
const TYPED_NAME_MAX: usize = 128;

/// Checks a name and a password.
///
/// A name that nobody has and a disabled user cost the same verification as a wrong password, and get the same answer.
/// Whether it may be tried at all is asked before, and in the same way for every name. A failure is recorded here; a success by
/// whatever is opened for it, in the transaction that opens it.
pub(crate) async fn password(
    app: &App,
    context: &RequestContext,
    username: &str,
    password: String,
    device: Option<&str>,
) -> Result<Proven, ApiError> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(ApiError::BodyInvalid(
            "the password is longer than a password may be".into(),
        ));
    }
    let password = Zeroizing::new(password);
    let account = user::look_up(&app.database, username).await?;
    let device = known_device(app, device, account.as_ref()).await?;
    let attempt = admit(app, context, username, account.as_ref(), device).await?;
    let stored = account.as_ref().and_then(|account| account.password_hash.clone());
    let network = throttle::network_of(context.client.ip.as_deref().unwrap_or_default());
    let verified = app.hasher.verify(password.to_string(), stored, &network).await;
    let is_right = match verified {
        Ok(is_right) => is_right,
        Err(error) => {
            attempt.came_to_nothing(app).await?;
            return Err(error);
        }
    };
    match account {
        Some(mut account) if is_right && !account.is_disabled => {
            renew(app, &mut account, &password).await;
            let authentication = Authentication {
                account,
                methods: vec![Method::Password],
                authenticated_at: app.now(),
            };
            Ok(Proven {
                authentication,
                attempt,
            })
        }
        account => {
            // However it was typed, it is one name: who tries in ten spellings tries one account.
            let name = account.map_or_else(|| user::key_of(username), |account| account.username);
            let recorded = attempt.failed(app, context, failure(context, &name)).await;
            Err(recorded.err().unwrap_or(ApiError::BadCredentials))
        }
    }
}

/// Hashes the password anew if its hash costs another amount than new ones. A sign-in does not fail for it: the next one does it.
async fn renew(app: &App, account: &mut Account, password: &str) {
    let outdated = account.password_hash.as_deref();
    let Some(stored) = outdated.filter(|stored| app.hasher.is_outdated(stored)) else {
        return;
    };
    let renewing = async {
        let hash = app.hasher.hash(password.to_owned()).await?;
        let mut tx = app.database.write().await?;
        let is_renewed = user::renew_password(&mut tx, &account.id, stored, &hash).await?;
        app.database.commit(tx).await?;
        Ok::<_, ApiError>(is_renewed.then_some(hash))
    };
    match renewing.await {
        // What is opened for the proof is opened only while the password is still the one that was proven.
        Ok(Some(hash)) => account.password_hash = Some(hash),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(%error, "the hash of a password was not renewed; the next sign-in does it");
        }
    }
}

/// The bucket of the device, if the user has signed in on it before. Asked for nobody as well, so that an unknown name takes as
/// long as a known one.
async fn known_device(
    app: &App,
    token: Option<&str>,
    account: Option<&Account>,
) -> Result<Option<Bucket>, ApiError> {
    let Some(token) = token else { return Ok(None) };
    let user_id = account.map_or("", |account| account.id.as_str());
    let mut tx = app.database.read().await?;
    let is_known = throttle::device::is_known(&mut tx, token, user_id, app.now()).await?;
    Ok(is_known.then(|| Bucket::device(&app.bucket_key, token, user_id)))
}

/// A known device is counted by itself: what others try with the name of its user does not refuse it.
async fn admit(
    app: &App,
    context: &RequestContext,
    username: &str,
    account: Option<&Account>,
    device: Option<Bucket>,
) -> Result<Try, ApiError> {
    let (key, name) = (&app.bucket_key, user::key_of(username));
    let user_id = account.map(|account| account.id.as_str());
    let ip = context.client.ip.as_deref().unwrap_or_default();
    let of_name = vec![
        Bucket::account(key, &name, user_id),
        Bucket::pair(key, &name, user_id, ip),
    ];
    if let Some(device) = device {
        return throttle::admit(app, context, vec![device], of_name).await;
    }
    let buckets = of_name.into_iter().chain(Bucket::of_address(key, ip)).collect();
    throttle::admit(app, context, buckets, Vec::new()).await
}

/// What is told of a sign-in with that name that failed.
pub(super) fn failure(context: &RequestContext, name: &str) -> Facts {
    let actor = Actor {
        identity: Identity::Claimed,
        username: Some(bounded(name, TYPED_NAME_MAX)),
        ..Actor::default()
    };
    context
        .facts(Class::Auth, action::AUTHN_LOGIN_FAIL, Outcome::Failure, actor)
        .because("bad_credentials")
}

/// Records that a sign-in failed although all was proven, and returns the refusal.
pub(crate) async fn refuse(app: &App, context: &RequestContext, name: &str) -> ApiError {
    let recording = async {
        let mut tx = app.database.write().await?;
        outbox::append(&mut tx, app.now(), failure(context, name)).await?;
        Ok::<_, ApiError>(app.database.commit(tx).await?)
    };
    recording.await.err().unwrap_or(ApiError::BadCredentials)
}
