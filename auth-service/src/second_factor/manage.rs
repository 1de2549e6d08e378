//! Adding and removing a second factor, and its recovery codes.

use std::time::Duration;

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::database::Tx;
use shared::event::{Actor, Class, Identity, Outcome, action};
use zeroize::Zeroizing;

use super::guess::Guess;
use super::recovery_code::{self, RecoveryCode};
use super::refusal::{FactorRefusal, RefusalCause};
use super::store;
use super::totp::{self, Provision};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::outbox;
use crate::request::{Caller, Operator};
use crate::secret;
use crate::session::{self, EndReason, Ending};
use crate::user;

/// How long a secret waits for its first code.
const ENROLMENT_LIFETIME: Duration = Duration::from_mins(10);

/// A secret that is to be confirmed, shown once.
pub(super) struct Begun {
    pub(super) provision: Provision,
    pub(super) expires_at: UtcMicros,
}

/// Makes a secret for a user. It is no factor before a code of it was shown.
pub(super) async fn begin(app: &App, operator: &Operator, user_id: &str) -> Result<Begun, ApiError> {
    let now = app.now();
    let secret = Zeroizing::new(secret::fresh_bytes::<{ totp::SECRET_BYTES }>().map_err(Internal::from)?);
    let sealed = app.factor_keys.close(user_id, secret.as_slice())?;
    let expires_at = now.plus(ENROLMENT_LIFETIME);
    let mut tx = app.database.write().await?;
    let account = user::find(&mut tx, user_id).await?.ok_or(ApiError::NotFound)?;
    if store::is_enrolled(&mut tx, user_id).await? {
        return Err(FactorRefusal::Enrolled.into());
    }
    store::put_enrolment(&mut tx, user_id, &sealed, expires_at).await?;
    let facts = operator
        .facts(Class::Auth, action::MFA_ENROLMENT_BEGUN, Outcome::Success)
        .with_detail("expires_at", expires_at.to_string());
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    let issuer = &app.mint_rules.issuer;
    Ok(Begun {
        provision: totp::provision(secret.as_slice(), issuer, &account.username).map_err(Internal::from)?,
        expires_at,
    })
}

/// Makes the secret that waits a factor, if the code is one of it, and ends the user's other sessions. Returns its recovery codes.
pub(super) async fn confirm(
    app: &App,
    operator: &Operator,
    caller: &Caller,
    typed: &str,
) -> Result<Vec<String>, ApiError> {
    let user_id = caller.0.sub.as_str();
    let mut tx = app.database.read().await?;
    if !store::has_enrolment(&mut tx, user_id, app.now()).await? {
        return Err(FactorRefusal::EnrolmentOver.into());
    }
    drop(tx);
    let claimed = Actor {
        identity: Identity::Claimed,
        ..caller.actor()
    };
    let guess = Guess::admit(app, operator.context(), (user_id, claimed), typed).await?;
    let came = add(app, operator, caller, typed).await;
    guess.end(came).await
}

async fn add(
    app: &App,
    operator: &Operator,
    caller: &Caller,
    typed: &str,
) -> Result<Result<Vec<String>, RefusalCause>, ApiError> {
    let (now, user_id) = (app.now(), caller.0.sub.as_str());
    let mut tx = app.database.write().await?;
    let taken = store::take_enrolment(&mut tx, user_id, now).await?;
    let sealed = taken.ok_or(FactorRefusal::EnrolmentOver)?;
    let secret = app.factor_keys.open(user_id, &sealed)?;
    let Some(step) = totp::step_of(&secret, typed, now).map_err(Internal::from)? else {
        // Rolled back, so that the secret still waits.
        return Ok(Err(RefusalCause::Wrong));
    };
    if !store::insert(&mut tx, user_id, (&sealed, step), now).await? {
        return Err(FactorRefusal::Enrolled.into());
    }
    let codes = fresh_codes(&mut tx, app, user_id).await?;
    user::raise_version(&mut tx, user_id).await?;
    let facts = operator
        .facts(Class::Auth, action::MFA_FACTOR_ADDED, Outcome::Success)
        .with_detail("before", told(false, 0))
        .with_detail("after", told(true, counted(&codes)));
    outbox::append(&mut tx, now, facts).await?;
    end_others(&mut tx, operator, user_id, caller.0.sid.as_deref(), now).await?;
    app.database.commit(tx).await?;
    Ok(Ok(codes))
}

/// Removes the caller's factor and ends its other sessions.
pub(super) async fn remove(app: &App, operator: &Operator, caller: &Caller) -> Result<(), ApiError> {
    let user_id = caller.0.sub.as_str();
    let mut tx = app.database.write().await?;
    let whose = (user_id, caller.0.sid.as_deref());
    if !forget(&mut tx, operator, Class::Auth, whose, app.now()).await? {
        return Err(FactorRefusal::NotEnrolled.into());
    }
    Ok(app.database.commit(tx).await?)
}

/// Removes a user's factor and ends its sessions but `kept`; `false` if it has none. Call it last in a transaction.
pub(crate) async fn forget(
    tx: &mut Tx<'_>,
    operator: &Operator,
    class: Class,
    (user_id, kept): (&str, Option<&str>),
    now: UtcMicros,
) -> Result<bool, ApiError> {
    let codes_left = store::codes_left(tx, user_id).await?;
    if !store::delete(tx, user_id).await? {
        return Ok(false);
    }
    user::raise_version(tx, user_id).await?;
    let facts = operator
        .facts(class, action::MFA_FACTOR_REMOVED, Outcome::Success)
        .with_detail("user_id", user_id)
        .with_detail("before", told(true, codes_left))
        .with_detail("after", told(false, 0));
    outbox::append(tx, now, facts).await?;
    end_others(tx, operator, user_id, kept, now).await?;
    Ok(true)
}

/// When the user's factor was added, if it has one.
pub(super) async fn added_at(app: &App, user_id: &str) -> Result<Option<UtcMicros>, ApiError> {
    let mut tx = app.database.read().await?;
    let kept = store::find(&mut tx, user_id).await?;
    Ok(kept.map(|kept| kept.added_at()))
}

/// How many recovery codes the user has left.
pub(super) async fn codes_left(app: &App, user_id: &str) -> Result<i64, ApiError> {
    let mut tx = app.database.read().await?;
    Ok(store::codes_left(&mut tx, user_id).await?)
}

/// Makes new recovery codes in place of those that are left, and returns them.
pub(super) async fn renew_codes(
    app: &App,
    operator: &Operator,
    user_id: &str,
) -> Result<Vec<String>, ApiError> {
    let now = app.now();
    let mut tx = app.database.write().await?;
    user::lock(&mut tx, user_id).await?;
    if !store::is_enrolled(&mut tx, user_id).await? {
        return Err(FactorRefusal::NotEnrolled.into());
    }
    let before = store::codes_left(&mut tx, user_id).await?;
    let codes = fresh_codes(&mut tx, app, user_id).await?;
    let facts = operator
        .facts(Class::Auth, action::MFA_RECOVERY_CODES_CREATED, Outcome::Success)
        .with_detail("before", told(true, before))
        .with_detail("after", told(true, counted(&codes)));
    outbox::append(&mut tx, now, facts).await?;
    app.database.commit(tx).await?;
    Ok(codes)
}

async fn fresh_codes(tx: &mut Tx<'_>, app: &App, user_id: &str) -> Result<Vec<String>, ApiError> {
    let (mut shown, mut hashes) = (Vec::new(), Vec::new());
    for _ in 0..recovery_code::COUNT {
        let code = RecoveryCode::of(secret::fresh_bytes().map_err(Internal::from)?);
        hashes.push(app.factor_keys.hash(user_id, &code));
        shown.push(code.shown());
    }
    store::replace_codes(tx, user_id, &hashes).await?;
    Ok(shown)
}

/// Whoever got in by less, or by what was removed, has to sign in anew.
async fn end_others(
    tx: &mut Tx<'_>,
    operator: &Operator,
    user_id: &str,
    kept: Option<&str>,
    now: UtcMicros,
) -> Result<(), ApiError> {
    let ending = Ending {
        context: operator.context(),
        actor: operator.actor(),
        reason: EndReason::FactorChange,
        decision: None,
        now,
    };
    session::end_all_of(tx, user_id, kept, &ending).await?;
    Ok(())
}

/// What an event tells of a user's factors.
fn told(second_factor: bool, recovery_codes: i64) -> Value {
    json!({ "second_factor": second_factor, "recovery_codes": recovery_codes })
}

fn counted(codes: &[String]) -> i64 {
    i64::try_from(codes.len()).unwrap_or(i64::MAX)
}
