//! The keys that sign tokens: made once per database, sealed at rest, and the set that the world verifies with.

mod handler;
mod key_set;
mod seal;
mod store;

use shared::clock::UtcMicros;
use shared::event::{Actor, Class, Facts, Outcome, TokenFacts, action};
use shared::runtime::cli::StartError;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::master_key::MasterKey;
use crate::outbox;
pub(crate) use key_set::{KeyRing, SigningKey};
use seal::Seal;
use shared::database::Database;
pub(crate) use store::active_since;

/// `GET /.well-known/jwks.json`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default().routes(routes!(handler::read_key_set))
}

/// The keys of this database; the first start makes one.
///
/// A new key is offered to the database whenever there is none: of several replicas that start at once, the database
/// takes the key of one, and all of them sign with it.
pub(crate) async fn open(
    database: &Database,
    master_key: &MasterKey,
    now: UtcMicros,
) -> Result<KeyRing, StartError> {
    let seal = Seal::new(master_key).map_err(StartError::failed)?;
    let mut tx = database.write().await.map_err(StartError::failed)?;
    let mut stored = store::published(&mut tx).await.map_err(StartError::failed)?;
    if !stored.iter().any(|key| key.is_active) {
        let (key, private) = SigningKey::fresh().map_err(StartError::failed)?;
        let sealed = seal.close(&key.kid, &private).map_err(StartError::failed)?;
        if store::insert_active(&mut tx, &key, sealed, now)
            .await
            .map_err(StartError::failed)?
        {
            let facts = created_facts(&key);
            outbox::append(&mut tx, now, facts)
                .await
                .map_err(StartError::failed)?;
            tracing::info!(key.id = key.kid, "made the first signing key");
        }
        stored = store::published(&mut tx).await.map_err(StartError::failed)?;
    }
    database.commit(tx).await.map_err(StartError::failed)?;
    KeyRing::open(stored, &seal).map_err(StartError::config)
}

fn created_facts(key: &SigningKey) -> Facts {
    let facts = Facts {
        actor: Actor::default(),
        token: Some(TokenFacts {
            kid: Some(key.kid.clone()),
            alg: Some(key.algorithm.to_string()),
            ..TokenFacts::default()
        }),
        ..Facts::new(Class::System, action::CRYPT_KEY_CREATED, Outcome::Success)
    };
    facts.with_detail("state", store::ACTIVE)
}
