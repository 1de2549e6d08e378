//! The keys that sign tokens: made and changed by a plan, sealed at rest, and the set that the world verifies with.

mod administer;
pub(crate) mod command;
mod handler;
mod jwk;
mod key_pair;
mod plan;
mod ring;
mod store;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use shared::token::{Algorithm, KeySet};
use tokio::sync::{Mutex, MutexGuard};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::{ApiError, Internal};
use plan::Rules;
pub(crate) use ring::{KeyRing, NoSigner, SigningKey};
use shared::sealing::MasterKey;
use shared::sealing::Seal;

/// What private halves are sealed for.
const SEALED_FOR: &str = "gatelog signing keys v1";

/// How often a replica looks whether the keys were changed by another.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// `GET /.well-known/jwks.json` and `/v1/admin/keys`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::default()
        .routes(routes!(handler::read_key_set))
        .routes(routes!(handler::list_keys))
        .routes(routes!(handler::rotate_keys))
        .routes(routes!(handler::revoke_key))
}

/// What keys are to be like, as the settings say.
#[derive(Clone, Copy, Debug)]
pub struct KeySettings {
    /// What new keys sign with.
    pub algorithm: Algorithm,
    /// How long a key signs; nothing for as long as nobody commands otherwise.
    pub rotation: Option<Duration>,
}

/// The keys of this replica.
pub(crate) struct Keys {
    ring: ArcSwap<KeyRing>,
    /// Held while the keys are read again, so that what was read earlier never replaces what was read later.
    reading: Mutex<()>,
    seal: Seal,
    rules: Rules,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.ring.fmt(formatter)
    }
}

impl Keys {
    /// Opens the keys of the database; the first start makes them.
    pub(crate) async fn open(
        database: &Database,
        master_key: &MasterKey,
        settings: KeySettings,
        now: UtcMicros,
    ) -> Result<Self, StartError> {
        let seal = Seal::new(master_key, SEALED_FOR).map_err(StartError::failed)?;
        let empty = KeyRing::open(Vec::new(), &seal, -1, now, None).map_err(StartError::config)?;
        let keys = Self {
            ring: ArcSwap::from_pointee(empty),
            reading: Mutex::default(),
            seal,
            rules: Rules {
                algorithm: settings.algorithm,
                rotation: settings.rotation,
            },
        };
        administer::keep(database, &keys, now)
            .await
            .map_err(StartError::failed)?;
        let ring = keys.read(database, now).await.map_err(StartError::failed)?;
        keys.ring.store(Arc::new(ring.map_err(StartError::config)?));
        Ok(keys)
    }

    /// The keys as this replica knows them.
    pub(crate) fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// Reads the keys again if that was a while ago and nobody does it already. A failure is told of when something is to be
    /// signed.
    pub(crate) async fn keep_fresh(&self, app: &App) {
        if !self.ring().is_old(app.now()) {
            return;
        }
        if let Ok(reading) = self.reading.try_lock() {
            self.take_over(app, reading).await.unwrap_or_default();
        }
    }

    async fn read(
        &self,
        database: &Database,
        now: UtcMicros,
    ) -> Result<Result<KeyRing, ring::RingError>, ApiError> {
        let mut tx = database.read().await?;
        let version = store::version(&mut tx).await?;
        let former = self.ring();
        if version == former.version {
            return Ok(Ok(former.read_again(now)));
        }
        let stored = administer::read(&mut tx).await?;
        Ok(KeyRing::open(stored, &self.seal, version, now, Some(&former)))
    }

    /// Reads the keys again, so that this replica signs with, publishes and accepts what all do.
    pub(crate) async fn refresh(&self, app: &App) -> Result<(), ApiError> {
        let reading = self.reading.lock().await;
        self.take_over(app, reading).await
    }

    async fn take_over(&self, app: &App, _reading: MutexGuard<'_, ()>) -> Result<(), ApiError> {
        let now = app.now();
        let ring = self.read(&app.database, now).await?;
        let ring = ring.map_err(|error| {
            tracing::error!(%error, "the signing keys cannot be opened");
            Internal::Unreadable("the signing keys cannot be opened")
        })?;
        let set = KeySet::from_jwks(&ring.published(now).jwks)
            .map_err(|_| Internal::Unreadable("the published key set is none"))?;
        self.ring.store(Arc::new(ring));
        app.guard.set_keys(&app.mint_rules.issuer, set);
        Ok(())
    }
}

/// The keys as they stand in the database, opened and left as they are; or why they cannot be opened.
pub(crate) async fn look(
    database: &Database,
    master_key: &MasterKey,
    now: UtcMicros,
) -> Result<Result<KeyRing, String>, ApiError> {
    let Ok(seal) = Seal::new(master_key, SEALED_FOR) else {
        return Ok(Err("no key can be derived from the master key".to_owned()));
    };
    let mut tx = database.read().await?;
    let version = store::version(&mut tx).await?;
    let stored = administer::read(&mut tx).await?;
    let ring = KeyRing::open(stored, &seal, version, now, None);
    Ok(ring.map_err(|error| error.to_string()))
}

/// Does what is to be done with the keys now.
pub(crate) async fn upkeep(app: &App) -> Result<(), ApiError> {
    administer::keep(&app.database, &app.keys, app.now()).await?;
    app.keys.refresh(app).await
}

/// Follows what other replicas and the command line do with the keys, until it is told to stop.
pub(crate) async fn follow(app: App, stop: CancellationToken) {
    let mut failing = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
        match app.keys.refresh(&app).await {
            Ok(()) => failing = false,
            Err(error) if failing => tracing::debug!(%error, "the signing keys still cannot be read"),
            Err(error) => {
                failing = true;
                tracing::warn!(%error, "the signing keys cannot be read; after five minutes nothing is signed");
            }
        }
    }
}
