//! `audit-collector retention`: the same from the command line, on the database itself.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::event::{Class, Draft, Facts, Outcome, action, event_id};
use shared::runtime::cli::{COMMAND_PATIENCE, StartError, say};
use shared::runtime::shutdown;
use uuid::Uuid;

use super::change::store::ask;
use super::change::{Change, Wish};
use super::hold::{self, Hold};
use super::{Report, Retention, Unfinished, preview, sweep};
use crate::access::Operator;
use crate::schema::SCHEMA;
use crate::search::Filter;
use crate::settings::Settings;

/// Who asks for what is asked for on the command line.
const COMMAND_LINE: &str = "command_line";

/// Removing events, and holding them.
#[derive(Debug, Args)]
pub struct RetentionCommand {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Removes what has been kept for long enough, as a running service does every hour.
    Run {
        /// Only says what would be removed.
        #[arg(long)]
        dry_run: bool,
    },
    /// Legal holds.
    Hold {
        #[command(subcommand)]
        what: HoldWhat,
    },
}

#[derive(Debug, Subcommand)]
enum HoldWhat {
    /// Keeps events whatever their age.
    Add {
        /// What it is called.
        name: String,
        /// Which events, in the filter language (docs/search.md).
        #[arg(long, short)]
        query: String,
        /// Why.
        #[arg(long)]
        reason: String,
    },
    /// Lists holds.
    List,
    /// Asks to release a hold. A person must confirm it over HTTP.
    Release {
        /// Its id.
        id: Uuid,
        /// Why.
        #[arg(long)]
        reason: String,
    },
}

impl RetentionCommand {
    /// Does it.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let settings = Settings::load(config)?;
        let database = Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await?;
        let done = match self.what {
            What::Run { dry_run: true } => foretell(&settings, &database).await,
            What::Hold { what: HoldWhat::List } => list(&database).await,
            what => {
                let operator = Operator::open(&settings)?;
                let done = change(what, &settings, &database, &operator).await;
                operator.close().await;
                done
            }
        };
        database.close().await;
        done
    }
}

/// Does what is recorded.
async fn change(
    what: What,
    settings: &Settings,
    database: &Database,
    operator: &Operator,
) -> Result<(), StartError> {
    let now = settings.clock.now();
    match what {
        What::Run { .. } => remove(settings, database, operator).await,
        What::Hold { what: HoldWhat::List } => Ok(()),
        What::Hold {
            what: HoldWhat::Add { name, query, reason },
        } => {
            let hold = Hold {
                id: event_id(now),
                name,
                q: query,
                reason,
                made_by: COMMAND_LINE.to_owned(),
                made_at: now,
                released_at: None,
            };
            add(database, operator, &hold).await
        }
        What::Hold {
            what: HoldWhat::Release { id, reason },
        } => release(database, operator, (id, reason), now).await,
    }
}

async fn foretell(settings: &Settings, database: &Database) -> Result<(), StartError> {
    let reports = preview(database, &settings.retention, settings.clock.now()).await;
    for report in &reports.map_err(StartError::failed)? {
        say(&line(report, "would be removed"));
    }
    Ok(())
}

async fn remove(settings: &Settings, database: &Database, operator: &Operator) -> Result<(), StartError> {
    let retention = Retention {
        database: database.clone(),
        periods: settings.retention.clone(),
        spool: operator.spool(),
        clock: settings.clock.clone(),
    };
    let stop = shutdown::on_signals().map_err(StartError::failed)?;
    let (reports, ended) = match sweep(&retention, &stop).await {
        Ok(Some(reports)) => (reports, Ok(())),
        Ok(None) => {
            return Err(StartError::failed("another process removes events at the moment"));
        }
        Err(Unfinished { reports, error }) => (reports, Err(StartError::failed(error))),
    };
    for report in &reports {
        say(&line(report, "removed"));
    }
    ended
}

fn line(report: &Report, verb: &str) -> String {
    let Report {
        class,
        days,
        before,
        removed,
        put_off,
    } = report;
    let held = if removed.held > 0 {
        format!(", {} held", removed.held)
    } else {
        String::new()
    };
    let alerts = if *class == Class::Alert {
        format!(", {} alerts with {} messages", removed.alerts, removed.messages)
    } else {
        String::new()
    };
    let put_off = put_off.map_or_else(String::new, |why| format!("; put off: {}", why.text()));
    format!(
        "{class}: kept {days} days, since {before}: {} events {verb}, {} ranges{held}{alerts}{put_off}",
        removed.events, removed.ranges
    )
}

async fn list(database: &Database) -> Result<(), StartError> {
    for hold in hold::store::all(database).await.map_err(StartError::failed)? {
        say(&serde_json::to_string(&hold).map_err(StartError::failed)?);
    }
    Ok(())
}

async fn add(database: &Database, operator: &Operator, hold: &Hold) -> Result<(), StartError> {
    Filter::parse(&hold.q, hold.made_at).map_err(StartError::failed)?;
    let mut tx = database.write().await.map_err(StartError::failed)?;
    if !hold::store::add(&mut tx, hold)
        .await
        .map_err(StartError::failed)?
    {
        return Err(StartError::failed(
            "a hold in force has that name, or there are 100 of them",
        ));
    }
    let facts = Facts::new(Class::Admin, action::HOLD_ADDED, Outcome::Success);
    let facts = facts
        .with_detail("before", json!(null))
        .with_detail("after", json!(hold))
        .with_detail("by", COMMAND_LINE);
    operator.record(Draft::new(hold.made_at, facts)).await?;
    tx.commit().await.map_err(StartError::failed)?;
    say(&format!("held: {}", hold.id));
    Ok(())
}

async fn release(
    database: &Database,
    operator: &Operator,
    (id, reason): (Uuid, String),
    now: UtcMicros,
) -> Result<(), StartError> {
    let mut tx = database.write().await.map_err(StartError::failed)?;
    let hold = hold::store::find(&mut tx, id).await.map_err(StartError::failed)?;
    let hold = hold.ok_or_else(|| StartError::failed("there is no hold in force with this id"))?;
    let change = Change {
        id: event_id(now),
        wish: Wish::Release {
            hold: id,
            name: hold.name,
        },
        reason,
        requested_by: COMMAND_LINE.to_owned(),
        requested_at: now,
    };
    if !ask(&mut tx, &change).await.map_err(StartError::failed)? {
        return Err(StartError::failed("its release is asked for already"));
    }
    let facts = Facts::new(Class::Admin, action::RETENTION_CHANGE_REQUESTED, Outcome::Success);
    let facts = facts
        .with_detail("before", json!(null))
        .with_detail("after", json!(change))
        .with_detail("by", COMMAND_LINE);
    operator.record(Draft::new(now, facts)).await?;
    tx.commit().await.map_err(StartError::failed)?;
    say(&format!(
        "asked for; to be confirmed by POST /v1/retention/changes/{}/confirm",
        change.id
    ));
    Ok(())
}
