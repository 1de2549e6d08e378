//! `audit-collector export`: a file of the log, and its manifest beside it.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::event::{Class, Draft, Facts, Outcome, action};
use shared::runtime::cli::{StartError, say};
use url::form_urlencoded;

use super::{Export, ExportFormat, Manifest};
use crate::access::Operator;
use crate::schema::SCHEMA;
use crate::search::{Filter, Parameters};
use crate::settings::Settings;

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
    /// Does it.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let settings = Settings::load(config)?;
        let filter = self.filter(settings.clock.now())?;
        let file = File::create_new(&self.out).map_err(|error| self.failed(&error))?;
        let database = Database::open(&settings.database_url, &SCHEMA).await?;
        let operator = Operator::open(&settings)?;
        let log = settings.log(&database);
        let begun = Export::begin(log, filter, self.format, settings.clock.now()).await;
        let mut export = begun.map_err(StartError::failed)?;
        let written = self.write(&mut export, file).await;
        let recorded = operator.record(draft(&settings, export.manifest())).await;
        operator.close().await;
        database.close().await;
        if let Err(error) = written.and(recorded) {
            // What is incomplete, or was not recorded, is not left for somebody to take for an export.
            drop(fs::remove_file(&self.out));
            return Err(error);
        }
        self.write_manifest(export.manifest())?;
        let manifest = export.manifest();
        say(&format!(
            "{} events, {} bytes, in {}",
            manifest.events,
            manifest.bytes,
            self.out.display()
        ));
        say(&format!(
            "sha256 {}",
            manifest.sha256.as_deref().unwrap_or_default()
        ));
        Ok(())
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

    async fn write(&self, export: &mut Export, file: File) -> Result<(), StartError> {
        let mut file = io::BufWriter::new(file);
        while let Some(bytes) = export.next().await.map_err(StartError::failed)? {
            file.write_all(&bytes).map_err(|error| self.failed(&error))?;
        }
        let file = file.into_inner().map_err(|error| self.failed(error.error()))?;
        file.sync_all().map_err(|error| self.failed(&error))
    }

    fn write_manifest(&self, manifest: &Manifest) -> Result<(), StartError> {
        let mut path = OsString::from(&self.out);
        path.push(".manifest.json");
        let text = serde_json::to_string_pretty(manifest).map_err(StartError::failed)? + "\n";
        fs::write(&path, text).map_err(|error| self.failed(&error))
    }

    fn failed(&self, error: &io::Error) -> StartError {
        StartError::failed(format!("{}: {error}", self.out.display()))
    }
}

fn draft(settings: &Settings, manifest: &Manifest) -> Draft {
    let outcome = if manifest.complete {
        Outcome::Success
    } else {
        Outcome::Error
    };
    let mut facts = Facts::new(Class::Admin, action::LOG_EXPORTED, outcome);
    facts.detail = manifest.detail();
    Draft {
        id: manifest.export,
        time: settings.clock.now(),
        facts: facts.with_detail("by", "command_line"),
    }
}
