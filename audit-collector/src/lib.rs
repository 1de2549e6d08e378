#![doc = include_str!("../README.md")]

mod access;
pub mod app;
pub mod command;
pub mod dead_letter;
mod error;
pub mod event_log;
pub mod ingest;
mod openapi;
pub mod schema;
pub mod search;
pub mod sequencing;
pub mod settings;
pub mod statistics;
pub mod tail;
pub mod timeline;

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
use shared::spool::{self, SpoolSettings};
use shared::token::{IssuerRules, Trust, TrustedIssuer};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use app::{AppState, router};
use event_log::EventLog;
use ingest::Ingest;
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
    let log = EventLog::new(database.clone());
    let consumer = settings.transport.consumer(settings.prefetch);
    let consuming = consumer.watch_connected();
    let mut helpers = JoinSet::new();
    let guard = guard(&settings, &mut helpers)?;
    let (spool, mut spool_tasks) = spool::open(
        &spool_settings(&settings),
        &settings.transport,
        settings.clock.clone(),
    )
    .map_err(|error| StartError::config(format!("the spool cannot be used: {error}")))?;

    let (stop_intake, stop_leading) = (CancellationToken::new(), CancellationToken::new());
    let gathering = Ingest {
        batch_max: settings.batch_max,
        linger: settings.batch_linger,
    };
    let mut intake = tokio::spawn(ingest::run(
        consumer,
        log.clone(),
        gathering,
        settings.clock.clone(),
        stop_intake.clone(),
    ));
    let mut leading = tokio::spawn(sequencing::run(log.clone(), stop_leading.clone()));
    let metrics = &settings.process.metrics;
    shared::database::metrics::watch(metrics, METRICS_PREFIX, &database);
    shared::guard::metrics::watch(metrics, METRICS_PREFIX, &guard);
    shared::spool::metrics::watch(metrics, METRICS_PREFIX, &spool);
    shared::http::metrics::start(&settings.process, shutdown.clone()).await?;
    let app = AppState {
        answers: metrics.register(METRICS_PREFIX, Answers::register),
        log,
        guard,
        spool,
        trusted_proxies: settings.process.trusted_proxies.clone().into(),
        consuming,
        tails: Tails::new(Tails::COUNT_MAX, shutdown.clone()),
        clock: settings.clock,
    };
    // A task that ends by itself has failed, and then the whole process ends, so that its supervisor starts it anew.
    let failed = tokio::select! {
        () = serve(listener, settings.process.traces.over(router(app)), shutdown) => None,
        _ = &mut intake => Some("intake ended by itself"),
        _ = &mut leading => Some("sequencing ended by itself"),
        () = spool_tasks.ended() => Some("the spool ended by itself"),
        _ = helpers.join_next() => Some("a background task ended by itself"),
    };
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
        listener: settings.transport.listener(),
    };
    helpers.spawn(follow(Arc::clone(&guard), client, source));
    Ok(guard)
}

fn spool_settings(settings: &Settings) -> SpoolSettings {
    SpoolSettings {
        dir: settings.spool_dir.clone(),
        service: SERVICE,
        instance: settings.process.instance.clone(),
        bytes_max: settings.spool_max_bytes,
    }
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
