//! Carries plans out, and what administrators do with keys.

use serde_json::{Value, json};
use shared::clock::UtcMicros;
use shared::enforcement::Target;
use shared::event::{Class, Facts, Outcome, TokenFacts, action};
use shared::token::Algorithm;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::Keys;
use super::key_pair::KeyPair;
use super::plan::{self, KeyTimes, Rules, State, Step};
use super::store::{self, NewKey, StoredKey};
use crate::app::App;
use crate::error::{ApiError, Internal};
use crate::request::{Operator, RequestContext};
use crate::{enforcement, outbox};
use shared::database::{Database, Tx};

/// Changes that one upkeep makes at most; what is left is for the next.
const ROUNDS_MAX: usize = 8;

/// A key as administrators see it.
#[derive(Clone, Debug)]
pub(super) struct ShownKey {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) state: State,
    pub(super) created_at: UtcMicros,
    pub(super) signs_from: Option<UtcMicros>,
}

/// A fresh key, sealed, with the event that tells of it.
struct Made {
    kid: String,
    jwk: Vec<u8>,
    sealed_private: Vec<u8>,
}

/// Does what is to be done with the keys now. Whoever is first does it; the others find it done.
pub(super) async fn keep(database: &Database, keys: &Keys, now: UtcMicros) -> Result<(), ApiError> {
    for _ in 0..ROUNDS_MAX {
        let mut tx = database.read().await?;
        let stored = read(&mut tx).await?;
        drop(tx);
        if plan::plan(&times(&stored), now, &keys.rules).is_empty() {
            return Ok(());
        }
        // Made before anybody has to wait for it: an RSA key takes a while.
        let made = make(keys).await?;
        let mut tx = database.write().await?;
        store::lock(&mut tx).await?;
        let stored = read(&mut tx).await?;
        carry_out(&mut tx, &stored, (now, &keys.rules), made).await?;
        database.commit(tx).await?;
    }
    Ok(())
}

/// Every key.
pub(super) async fn list(app: &App) -> Result<Vec<ShownKey>, ApiError> {
    let mut tx = app.database.read().await?;
    let stored = read(&mut tx).await?;
    Ok(shown(&times(&stored), app.now()))
}

/// Lets the next key sign as soon as every verifier knows it, and returns from when on.
pub(super) async fn rotate(app: &App, operator: &Operator, dry_run: bool) -> Result<ShownKey, ApiError> {
    let now = app.now();
    keep(&app.database, &app.keys, now).await?;
    let mut tx = app.database.write().await?;
    store::lock(&mut tx).await?;
    let before = times(&read(&mut tx).await?);
    let (kid, signs_from) = plan::rotation_at(&before, now).ok_or(ApiError::NotFound)?;
    if !dry_run {
        store::set_signs_from(&mut tx, &kid, Some(signs_from)).await?;
        let after = times(&read(&mut tx).await?);
        let facts = operator.facts(Class::Admin, action::CRYPT_KEY_SCHEDULED, Outcome::Success);
        outbox::append(&mut tx, now, told(facts, &kid, (&before, &after), now)).await?;
        app.database.commit(tx).await?;
        app.keys.refresh(app).await?;
    }
    let key = shown(&before, now).into_iter().find(|key| key.kid == kid);
    key.map(|key| ShownKey {
        signs_from: Some(signs_from),
        ..key
    })
    .ok_or(ApiError::NotFound)
}

/// Takes a key out of service at once: it signs no more, is published no more, and no token that it signed is accepted. The
/// next key signs from now on.
pub(super) async fn revoke(
    app: &App,
    operator: &Operator,
    kid: &str,
    dry_run: bool,
) -> Result<ShownKey, ApiError> {
    let now = app.now();
    let made = make(&app.keys).await?;
    let mut tx = app.database.write().await?;
    store::lock(&mut tx).await?;
    let before = times(&read(&mut tx).await?);
    let key = shown(&before, now)
        .into_iter()
        .find(|key| key.kid == kid)
        .ok_or(ApiError::NotFound)?;
    if dry_run || key.state == State::Revoked {
        return Ok(key);
    }
    store::set_revoked(&mut tx, kid, now).await?;
    let stored = read(&mut tx).await?;
    let after = times(&stored);
    let facts = operator.facts(Class::Admin, action::CRYPT_KEY_REVOKED, Outcome::Success);
    outbox::append(&mut tx, now, told(facts, kid, (&before, &after), now)).await?;
    carry_out(&mut tx, &stored, (now, &app.keys.rules), made).await?;
    enforcement::append(&mut tx, &Target::Kid(kid.to_owned()), now).await?;
    app.database.commit(tx).await?;
    keep(&app.database, &app.keys, now).await?;
    app.keys.refresh(app).await?;
    Ok(ShownKey {
        state: State::Revoked,
        ..key
    })
}

async fn make(keys: &Keys) -> Result<Made, ApiError> {
    let algorithm = keys.rules.algorithm;
    let making = spawn_blocking(move || KeyPair::fresh(algorithm));
    let made = making.await.map_err(|_| Internal::Panicked)?;
    let (pair, private): (KeyPair, Zeroizing<Vec<u8>>) =
        made.map_err(|_| Internal::Unreadable("a fresh signing key could not be made"))?;
    let public = pair.public();
    let kid = public.kid();
    let sealed_private = keys
        .seal
        .close(&kid, &private)
        .map_err(|_| Internal::Unreadable("a fresh signing key could not be sealed"))?;
    Ok(Made {
        jwk: public.jwk(&kid, algorithm).to_string().into_bytes(),
        kid,
        sealed_private,
    })
}

/// One round of a plan, with `made` as the key to make if one is to be made.
async fn carry_out(
    tx: &mut Tx<'_>,
    stored: &[StoredKey],
    (now, rules): (UtcMicros, &Rules),
    made: Made,
) -> Result<(), ApiError> {
    let before = times(stored);
    let mut made = Some(made);
    for step in plan::plan(&before, now, rules) {
        let (action, kid) = match step {
            Step::Make { signs_from } => {
                let Some(made) = made.take() else { continue };
                let new = NewKey {
                    kid: &made.kid,
                    algorithm: rules.algorithm,
                    jwk: &made.jwk,
                    sealed_private: &made.sealed_private,
                    signs_from,
                };
                store::insert(tx, &new, now).await?;
                (action::CRYPT_KEY_CREATED, made.kid)
            }
            Step::Schedule { kid, signs_from } => {
                store::set_signs_from(tx, &kid, signs_from).await?;
                (action::CRYPT_KEY_SCHEDULED, kid)
            }
            Step::Discard { kid } => {
                store::delete(tx, &kid).await?;
                (action::CRYPT_KEY_RETIRED, kid)
            }
            Step::Forget { kid } => {
                store::forget_private(tx, &kid).await?;
                (action::CRYPT_KEY_RETIRED, kid)
            }
        };
        let after = times(&read(tx).await?);
        let context = RequestContext::without_request();
        let facts = context.facts(
            Class::System,
            action,
            Outcome::Success,
            shared::event::Actor::default(),
        );
        outbox::append(tx, now, told(facts, &kid, (&before, &after), now)).await?;
    }
    Ok(())
}

fn told(facts: Facts, kid: &str, (before, after): (&[KeyTimes], &[KeyTimes]), now: UtcMicros) -> Facts {
    let find = |keys: &[KeyTimes]| keys.iter().find(|key| key.kid == kid).cloned();
    let tell = |keys: &[KeyTimes]| match find(keys) {
        None => Value::Null,
        Some(key) => json!({
            "state": plan::state(&key, keys, now).as_str(),
            "signs_from": key.signs_from.map(|from| from.to_string()),
        }),
    };
    let algorithm = find(after)
        .or_else(|| find(before))
        .map(|key| key.algorithm.to_string());
    Facts {
        token: Some(TokenFacts {
            kid: Some(kid.to_owned()),
            alg: algorithm,
            ..TokenFacts::default()
        }),
        ..facts
    }
    .with_detail("before", tell(before))
    .with_detail("after", tell(after))
}

/// Every key of the database.
pub(super) async fn read(tx: &mut Tx<'_>) -> Result<Vec<StoredKey>, ApiError> {
    let stored = store::all(tx).await?;
    stored.map_err(|_| {
        Internal::Unreadable("a signing key is of an algorithm that this version does not know").into()
    })
}

fn times(stored: &[StoredKey]) -> Vec<KeyTimes> {
    stored.iter().map(|key| key.times.clone()).collect()
}

fn shown(keys: &[KeyTimes], now: UtcMicros) -> Vec<ShownKey> {
    let show = |key: &KeyTimes| ShownKey {
        kid: key.kid.clone(),
        algorithm: key.algorithm,
        state: plan::state(key, keys, now),
        created_at: key.created_at,
        signs_from: key.signs_from,
    };
    keys.iter().map(show).collect()
}
