#![doc = include_str!("../README.md")]

mod access;
pub mod alert;
pub mod app;
pub mod command;
pub mod completeness;
mod console;
pub mod dead_letter;
pub mod detection;
pub mod enrichment;
mod error;
pub mod event_log;
pub mod export;
mod followers;
pub mod forwarding;
pub mod import;
pub mod ingest;
mod leading;
pub mod notification;
mod openapi;
pub mod pseudonym;
pub mod response;
pub mod retention;
pub mod rollup;
pub mod schema;
pub mod search;
pub mod sequencing;
pub mod settings;
pub mod statistics;
pub mod tail;
pub mod timeline;
pub mod webhook;

use std::sync::Arc;

use axum::http::Uri;
use shared::database::Database;
use shared::guard::Guard;
use shared::guard::feed::{FeedSource, follow};
use shared::guard::keys::{KeyOrigin, keep_fresh};
use shared::http::client::pooled_client;
use shared::http::metrics::Answers;
use shared::http::serve::serve;
use shared::runtime::cli::StartError;
use shared::runtime::shutdown::CancellationToken;
use shared::spool::{self, Spool, SpoolSettings, SpoolTasks};
use shared::token::{IssuerRules, Trust, TrustedIssuer};
use shared::transport::{Consumer, Word};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use app::{AppState, router};
use detection::Backtests;
use event_log::EventLog;
use export::Exports;
use followers::{Followers, Parts};
use ingest::{Ingest, Keeper};
use schema::SCHEMA;
use settings::{SERVICE, Settings};
use tail::Tails;

/// What the names of the collector's metrics begin with.
const METRICS_PREFIX: &str = "gatelog_collector";

/// Runs a collector until `shutdown`, then ends in order: requests, own events, intake, the database.
pub async fn run(
    settings: Settings,
    listener: TcpListener,
    shutdown: CancellationToken,
) -> Result<(), StartError> {
    let database = tokio::select! {
        () = shutdown.cancelled() => return Ok(()),
        opened = Database::open(&settings.database_url, &SCHEMA) => opened?,
    };
    let log = settings.log(&database);
    let consumer = settings.transport.consumer(settings.prefetch);
    let consuming = consumer.watch_connected();
    let mut helpers = JoinSet::new();
    let guard = guard(&settings, &mut helpers)?;
    let (spool, mut spool_tasks) = open_spool(&settings)?;

    let (stop_intake, stop_leading) = (CancellationToken::new(), CancellationToken::new());
    let keeper = keeper(&settings, &log);
    let mut intake = tokio::spawn(intake(&settings, consumer, keeper.clone(), &stop_intake));
    if let Some(dead) = settings.transport.consumer_of_dead() {
        helpers.spawn(ingest::run(dead, keeper, Ingest::ONE_BY_ONE, stop_intake.clone()));
    }
    let mut leading = tokio::spawn(sequencing::run(log.clone(), stop_leading.clone()));
    let parts = Parts::new(&settings, &log, &spool);
    let (mut followers, offered) = Followers::start(parts, &mut helpers)?;
    let answers = observe(&settings, &guard, &spool, &log);
    shared::http::metrics::start(&settings.process, shutdown.clone()).await?;
    let app = AppState {
        answers,
        log,
        guard,
        spool,
        trusted_proxies: settings.process.trusted_proxies.clone().into(),
        rules: offered.rules,
        responding: offered.responding,
        notifying: offered.notifying,
        consuming,
        tails: Tails::new(Tails::COUNT_MAX, shutdown.clone()),
        exports: Exports::new(Exports::COUNT_MAX),
        backtests: Backtests::default(),
        gap_after: settings.gap_after,
        periods: settings.retention,
        clock: settings.clock,
    };
    // A task that ends by itself has failed, and then the whole process ends, so that its supervisor starts it anew.
    let failed = tokio::select! {
        () = serve(listener, settings.process.traces.over(router(app)), shutdown) => None,
        _ = &mut intake => Some("intake ended by itself"),
        _ = &mut leading => Some("sequencing ended by itself"),
        () = followers.ended() => Some("what follows the log ended by itself"),
        () = spool_tasks.ended() => Some("the spool ended by itself"),
        _ = helpers.join_next() => Some("a background task ended by itself"),
    };
    followers.stop().await;
    // Intake still runs while the spool is closed, so that the collector's own last events are stored as well.
    spool_tasks.close().await;
    stop_intake.cancel();
    end(intake).await;
    stop_leading.cancel();
    end(leading).await;
    helpers.shutdown().await;
    database.close().await;
    failed.map_or(Ok(()), |reason| Err(StartError::failed(reason)))
}

/// Where intake stores, and what it counts.
fn keeper(settings: &Settings, log: &EventLog) -> Keeper {
    let metrics = &settings.process.metrics;
    Keeper {
        log: log.clone(),
        clock: settings.clock.clone(),
        counts: metrics.register(METRICS_PREFIX, ingest::Counts::register),
    }
}

/// Events in, until `stop`.
fn intake(
    settings: &Settings,
    consumer: Consumer,
    keeper: Keeper,
    stop: &CancellationToken,
) -> impl Future<Output = ()> + Send + use<> {
    let gathering = Ingest {
        batch_max: settings.batch_max,
        linger: settings.batch_linger,
        returned_max: u32::MAX,
    };
    ingest::run(consumer, keeper, gathering, stop.clone())
}

/// What is counted of parts that do not count themselves; and where answers are counted.
fn observe(settings: &Settings, guard: &Arc<Guard>, spool: &Spool, log: &EventLog) -> Answers {
    let (metrics, database) = (&settings.process.metrics, log.database());
    shared::guard::metrics::watch(metrics, METRICS_PREFIX, guard);
    shared::spool::metrics::watch(metrics, METRICS_PREFIX, spool);
    shared::database::metrics::watch(metrics, METRICS_PREFIX, database);
    completeness::metrics::watch(metrics, METRICS_PREFIX, database);
    notification::watch(metrics, METRICS_PREFIX, (database, &settings.clock));
    forwarding::watch(
        metrics,
        METRICS_PREFIX,
        (log, &settings.receivers, &settings.clock),
    );
    retention::watch(metrics, METRICS_PREFIX, database);
    metrics.register(METRICS_PREFIX, Answers::register)
}

/// The guard, and the tasks that keep its keys and revocations fresh.
fn guard(settings: &Settings, helpers: &mut JoinSet<()>) -> Result<Arc<Guard>, StartError> {
    let trust = Trust::new(vec![TrustedIssuer::without_keys(IssuerRules::gatelog(
        &settings.issuer,
        Vec::new(),
    ))]);
    let guard = Arc::new(Guard::new(trust, settings.clock.clone()));
    let client = pooled_client().map_err(StartError::failed)?;
    let base = settings.auth_url.trim_end_matches('/');
    let jwks: Uri = format!("{base}/.well-known/jwks.json")
        .parse()
        .map_err(|error| StartError::config(format!("auth_url cannot be used: {error}")))?;
    let origin = KeyOrigin {
        iss: settings.issuer.clone(),
        jwks,
    };
    helpers.spawn(keep_fresh(Arc::clone(&guard), client.clone(), origin, None));
    let source = FeedSource {
        auth_url: settings.auth_url.clone(),
        service_token: settings.service_token.clone(),
        listener: settings.transport.listener(Word::Enforcement),
    };
    helpers.spawn(follow(Arc::clone(&guard), client, source));
    Ok(guard)
}

/// Where the collector's own events are kept on their way.
fn open_spool(settings: &Settings) -> Result<(Spool, SpoolTasks), StartError> {
    let spool = SpoolSettings {
        dir: settings.spool_dir.clone(),
        service: SERVICE,
        instance: settings.process.instance.clone(),
        bytes_max: settings.spool_max_bytes,
    };
    spool::open(&spool, &settings.transport, settings.clock.clone())
        .map_err(|error| StartError::config(format!("the spool cannot be used: {error}")))
}

/// Waits for the end of a task that was told to stop, or that ended before.
async fn end(task: JoinHandle<()>) {
    if task.is_finished() {
        return;
    }
    if let Err(error) = task.await {
        tracing::error!(%error, "a task did not end in order");
    }
}
