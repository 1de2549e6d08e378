//! `audit-collector export`: a file of the log, and its manifest beside it.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::event::{Class, Draft, Facts, Outcome, action};
use shared::runtime::cli::{COMMAND_PATIENCE, StartError, say};
use shared::runtime::shutdown::{self, CancellationToken};
use url::form_urlencoded;

use super::part::{Part, failed, with_ending};
use super::{Export, ExportFormat, Manifest};
use crate::access::Operator;
use crate::schema::SCHEMA;
use crate::search::{Filter, Parameters};
use crate::settings::Settings;

/// The reason of an export that a signal ended.
const INTERRUPTED: &str = "interrupted";

/// What is exported where.
#[derive(Debug, Args)]
pub struct ExportCommand {
    /// The format.
    #[arg(long)]
    format: ExportFormat,
    /// The file to write; its manifest gets the same name with `.manifest.json` behind it. There must be none yet.
    #[arg(long)]
    out: PathBuf,
    /// A filter (docs/search.md); everything without it.
    #[arg(long, short)]
    query: Option<String>,
    /// The first moment (RFC 3339).
    #[arg(long)]
    from: Option<UtcMicros>,
    /// The first moment after.
    #[arg(long)]
    to: Option<UtcMicros>,
}

impl ExportCommand {
    /// Does it. The first signal to stop ends it in order: nothing is left of the file, and it is recorded what was taken of the log.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let settings = Settings::load(config)?;
        let database = Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await?;
        let stop = shutdown::on_signals().map_err(StartError::failed)?;
        let done = self.run_on(&database, &settings, &stop).await;
        database.close().await;
        done
    }

    /// The same on an open database, until `stop`.
    pub async fn run_on(
        &self,
        database: &Database,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Result<(), StartError> {
        let filter = self.filter(settings.clock.now())?;
        let mut part = Part::begin(&self.out)?;
        let log = settings.log(database);
        let begun = Export::begin(log, filter, self.format, settings.clock.now()).await;
        let mut export = begun.map_err(StartError::failed)?;
        let operator = Operator::open(settings)?;
        let written = write(&mut export, &mut part, stop).await;
        let recorded = operator.record(draft(settings, export.manifest(), stop)).await;
        operator.close().await;
        // What is incomplete, or was not recorded, does not get the name of an export.
        written.and(recorded)?;
        part.finish()?;
        self.write_manifest(export.manifest())?;
        self.tell(export.manifest());
        Ok(())
    }

    fn tell(&self, manifest: &Manifest) {
        let (events, bytes, out) = (manifest.events, manifest.bytes, self.out.display());
        say(&format!("{events} events, {bytes} bytes, in {out}"));
        say(&format!(
            "sha256 {}",
            manifest.sha256.as_deref().unwrap_or_default()
        ));
    }

    fn filter(&self, now: UtcMicros) -> Result<Filter, StartError> {
        let mut query = form_urlencoded::Serializer::new(String::new());
        if let Some(text) = &self.query {
            query.append_pair("q", text);
        }
        for (name, moment) in [("from", self.from), ("to", self.to)] {
            if let Some(moment) = moment {
                query.append_pair(name, &moment.to_string());
            }
        }
        Parameters::parse(&query.finish())
            .and_then(|parameters| parameters.filter(now))
            .map_err(StartError::failed)
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), StartError> {
        let path = with_ending(&self.out, ".manifest.json");
        let text = serde_json::to_string_pretty(manifest).map_err(StartError::failed)? + "\n";
        fs::write(&path, text).map_err(|error| failed(&path, &error))
    }
}

/// Writes the export to its end, or until `stop`.
async fn write(export: &mut Export, part: &mut Part, stop: &CancellationToken) -> Result<(), StartError> {
    while let Some(bytes) = export.next().await.map_err(StartError::failed)? {
        part.write(&bytes)?;
        if stop.is_cancelled() && !export.manifest().complete {
            return Err(StartError::failed("interrupted; nothing is left of the file"));
        }
    }
    part.sync()
}

fn draft(settings: &Settings, manifest: &Manifest, stop: &CancellationToken) -> Draft {
    let outcome = if manifest.complete {
        Outcome::Success
    } else {
        Outcome::Error
    };
    let mut facts = Facts::new(Class::Admin, action::LOG_EXPORTED, outcome);
    facts.reason = (!manifest.complete && stop.is_cancelled()).then(|| INTERRUPTED.to_owned());
    facts.detail = manifest.detail();
    Draft {
        id: manifest.export,
        time: settings.clock.now(),
        facts: facts.with_detail("by", "command_line"),
    }
}
