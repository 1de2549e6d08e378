//! Opens the service's parts, serves, and stops them in order.

use std::num::NonZeroUsize;
use std::time::Duration;

use axum::Router;
use secrecy::SecretString;
use shared::database::{Database, DatabaseError};
use shared::guard::Guard;
use shared::http::serve::serve;
use shared::runtime::cli::{COMMAND_PATIENCE, StartError};
use shared::runtime::shutdown::{CancellationToken, TaskTracker};
use shared::token::{IssuerRules, KeySet, Trust, TrustedIssuer};
use shared::transport::Word;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::app::{self, App, Parts};
use crate::hosted_page::FormTokenKey;
use crate::metrics::{self, AuthMetrics};
use crate::one_time_token::Purpose;
use crate::outbox::{self, RelayState};
use crate::password::{Breached, Hasher};
use crate::schema::SCHEMA;
use crate::second_factor::FactorKeys;
use crate::session::RefreshTokenKey;
use crate::settings::Settings;
use crate::signing_key::{KeyRing, Keys};
use crate::throttle::{BucketKey, Refusals};
use crate::token::MintRules;
use crate::{client, enforcement, one_time_token, setup, signing_key, upkeep, user};

/// How long the end may wait for the last confirms; what is left stays in the database.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// auth-service with its database open and its keys ready.
#[derive(Debug)]
pub struct Service {
    app: App,
}

impl Service {
    /// Opens the database, waiting for it if it cannot be reached, and makes what the first start makes.
    pub async fn open(settings: &Settings) -> Result<Self, StartError> {
        let database = Database::open(&settings.database_url, &SCHEMA).await?;
        Self::over(database, settings).await
    }

    /// The same for a command, which gives up if the database cannot be reached.
    pub(crate) async fn open_for_command(settings: &Settings) -> Result<Self, StartError> {
        Self::over(open_for_command(settings).await?, settings).await
    }

    async fn over(database: Database, settings: &Settings) -> Result<Self, StartError> {
        create_outbox(&database).await?;
        let now = settings.clock.now();
        let keys = Keys::open(&database, &settings.master_key, settings.keys, now).await?;
        let passwords = &settings.passwords;
        let breached = passwords.breached_file.as_deref().map(Breached::open).transpose();
        let breached = breached.map_err(StartError::config)?;
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let app = App::new(Parts {
            guard: Guard::new(trust(settings, &keys.ring())?, settings.clock.clone()),
            keys,
            mint_rules: MintRules {
                issuer: settings.issuer.clone(),
                lifetime_seconds: settings.access_token_seconds,
            },
            refresh_key: RefreshTokenKey::new(&settings.master_key).map_err(StartError::failed)?,
            bucket_key: BucketKey::new(&settings.master_key).map_err(StartError::failed)?,
            factor_keys: FactorKeys::new(&settings.master_key).map_err(StartError::failed)?,
            refusals: Refusals::default(),
            form_key: FormTokenKey::new(&settings.master_key).map_err(StartError::failed)?,
            hasher: Hasher::within(passwords.cost, passwords.memory_mib, processors)
                .map_err(StartError::failed)?,
            breached,
            database,
            service_token: settings.service_token.clone(),
            audiences: settings.audiences.clone(),
            process: settings.process.clone(),
            clock: settings.clock.clone(),
            relay: RelayState::default(),
            metrics: AuthMetrics::register(&settings.process.metrics),
            requests: TaskTracker::new(),
        });
        metrics::watch(&app);
        Ok(Self { app })
    }

    /// Every end point. Events stay in the outbox until the service runs.
    pub fn router(&self) -> Router {
        app::router(self.app.clone())
    }

    /// Does once what a running service does every minute: deletes what is over, and moves on what follows a schedule.
    pub async fn upkeep(&self) {
        upkeep::once(&self.app).await;
    }

    /// What commands act on.
    pub(crate) const fn app(&self) -> &App {
        &self.app
    }

    /// Closes the database.
    pub(crate) async fn close(&self) {
        self.app.database.close().await;
    }

    /// Whoever has a token for the setup knows what is missing; the process that all services share has made one before.
    async fn tell_what_is_missing(&self) -> Result<(), StartError> {
        let asking = async {
            let mut tx = self.app.database.read().await?;
            let has_token = one_time_token::is_waiting(&mut tx, Purpose::Setup, self.app.now()).await?;
            Ok::<_, DatabaseError>(has_token || user::has_administrator(&mut tx).await?)
        };
        if !asking.await.map_err(StartError::failed)? {
            tracing::warn!("no administrator yet: run `auth-service setup-token`");
        }
        Ok(())
    }
}

/// Serves until `shutdown`, then ends what was begun and forwards the last events within a bound.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let service = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        opened = Service::open(&settings) => opened?,
    };
    service.tell_what_is_missing().await?;
    shared::http::metrics::start(&service.app.process, shutdown.clone()).await?;
    let stop = CancellationToken::new();
    // A set, because it ends its task when it is dropped: the hold on the outbox must not outlive the service.
    let mut relay = JoinSet::new();
    relay.spawn(outbox::run(
        service.app.clone(),
        settings.transport.clone(),
        settings.confirmed_dir.clone(),
        stop.clone(),
    ));
    let mut tasks = JoinSet::new();
    tasks.spawn(upkeep::run(service.app.clone(), stop.clone()));
    tasks.spawn(signing_key::follow(service.app.clone(), stop.clone()));
    let announcer = settings.transport.announcer(Word::Enforcement);
    tasks.spawn(enforcement::announce(
        service.app.clone(),
        announcer,
        stop.clone(),
    ));
    if let Ok(address) = listener.local_addr() {
        tracing::info!(%address, database = %settings.database_url, "auth-service is ready");
    }
    let router = service.app.process.traces.over(service.router());
    let serving = serve(listener, router, shutdown.clone());
    let ended = tokio::select! {
        () = serving => Ok(()),
        _ = relay.join_next() => Err(StartError::failed("the relay of the outbox ended by itself")),
        Some(_) = tasks.join_next() => Err(StartError::failed("a task ended by itself")),
    };
    ended?;
    service.app.requests.close();
    if tokio::time::timeout(DRAIN_MAX, service.app.requests.wait())
        .await
        .is_err()
    {
        tracing::warn!("some requests did not end and are given up");
    }
    stop.cancel();
    if tokio::time::timeout(DRAIN_MAX, relay.join_next()).await.is_err() {
        tracing::warn!("events are left in the outbox; the next start forwards them");
        relay.shutdown().await;
    }
    tasks.shutdown().await;
    service.app.database.close().await;
    Ok(())
}

/// Makes a one-time token for the first administrator; `None` if there is one. The service may run meanwhile.
pub async fn new_setup_token(settings: &Settings) -> Result<Option<String>, StartError> {
    let database = open_for_command(settings).await?;
    create_outbox(&database).await?;
    let token = setup::new_token(&database, settings.clock.now()).await;
    database.close().await;
    token
}

/// Makes a secret for the client by which a collector in the same process responds to alerts: the client's id, and the secret.
/// The one before is void.
pub async fn new_responder_secret(settings: &Settings) -> Result<(&'static str, SecretString), StartError> {
    let database = open_for_command(settings).await?;
    create_outbox(&database).await?;
    let credentials = client::responder::renew(&database, settings.clock.now()).await;
    database.close().await;
    credentials.map_err(StartError::failed)
}

async fn open_for_command(settings: &Settings) -> Result<Database, StartError> {
    Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await
}

async fn create_outbox(database: &Database) -> Result<(), StartError> {
    let creating = async {
        let mut tx = database.write().await?;
        outbox::create(&mut tx).await?;
        database.commit(tx).await
    };
    creating.await.map_err(StartError::failed)
}

/// Trust in this service's own tokens alone.
fn trust(settings: &Settings, keys: &KeyRing) -> Result<Trust, StartError> {
    let keys = KeySet::from_jwks(&keys.published(settings.clock.now()).jwks).map_err(StartError::failed)?;
    Ok(Trust::new(vec![TrustedIssuer::with_keys(
        IssuerRules::gatelog(&settings.issuer, settings.audiences.clone()),
        keys,
    )]))
}
