//! `audit-collector rules`: checks rules, runs their tests, and tries them on the past.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::runtime::cli::{StartError, say};

use super::DetectionSettings;
use super::engine::Finding;
use super::past::{Span, replay};
use super::rule::{RuleSet, RuleSource};
use crate::schema::SCHEMA;
use crate::settings::Settings;

/// What can be done with rules.
#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Reads the rules of the program and of a folder, and says everything that is wrong with them.
    Check {
        /// The folder; that of the settings if not given.
        folder: Option<PathBuf>,
    },
    /// Runs the tests of the rules; ends with 1 if one fails.
    Test {
        /// The folder; that of the settings if not given.
        folder: Option<PathBuf>,
        /// Only this rule.
        #[arg(long)]
        rule: Option<String>,
    },
    /// Says what the rules find in the stored events of a period. Stores nothing.
    Backtest {
        /// The first moment (RFC 3339).
        #[arg(long)]
        from: UtcMicros,
        /// The first moment after.
        #[arg(long)]
        to: UtcMicros,
        /// Only this rule.
        #[arg(long)]
        rule: Option<String>,
    },
}

impl RulesCommand {
    /// Does it, with the settings of the file at `config`, if any, and of the environment.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        match self {
            Self::Check { folder } => {
                let rules = load(config, folder)?;
                say(&format!("{} rules are good", rules.rules().len()));
                Ok(())
            }
            Self::Test { folder, rule } => test(&only(&load(config, folder)?, rule.as_deref())?),
            Self::Backtest { from, to, rule } => {
                let settings = Settings::load(config)?;
                let rules = only(&settings.detection.rules, rule.as_deref())?;
                backtest(&settings, &rules, Span { from, until: to }).await
            }
        }
    }
}

/// The rules with those of `folder`, for which no other settings are needed, or else those of the settings.
fn load(config: Option<&Path>, folder: Option<PathBuf>) -> Result<RuleSet, StartError> {
    let Some(folder) = folder else {
        let DetectionSettings { rules, .. } = Settings::load(config)?.detection;
        return Ok(rules);
    };
    let source = RuleSource {
        folder: Some(folder),
        issuer: String::new(),
        ..RuleSource::default()
    };
    source
        .load()
        .map_err(|error| StartError::config(error.to_string()))
}

fn only(rules: &RuleSet, id: Option<&str>) -> Result<RuleSet, StartError> {
    let Some(id) = id else {
        return Ok(rules.clone());
    };
    let rule = rules.find(id).cloned();
    rule.map(|rule| RuleSet::of(vec![rule]))
        .ok_or_else(|| StartError::config(format!("there is no rule {id:?}")))
}

fn test(rules: &RuleSet) -> Result<(), StartError> {
    let (mut run, mut failed) = (0, 0);
    for rule in rules.rules() {
        for trial in &rule.trials {
            run += 1;
            if let Err(failure) = trial.run(rule) {
                failed += 1;
                say(&failure.to_string());
            }
        }
    }
    say(&format!(
        "{run} tests of {} rules, {failed} failed",
        rules.rules().len()
    ));
    if failed == 0 {
        Ok(())
    } else {
        Err(StartError::failed("tests of rules failed"))
    }
}

async fn backtest(settings: &Settings, rules: &RuleSet, span: Span) -> Result<(), StartError> {
    if span.from >= span.until {
        return Err(StartError::config("--to is not after --from"));
    }
    let database = Database::look(&settings.database_url, &SCHEMA)
        .await
        .map_err(StartError::failed)?;
    let log = settings.log(&database);
    let ledger = replay(&log, rules, span, span.until)
        .await
        .map_err(StartError::failed)?;
    let mut found: BTreeMap<UtcMicros, Vec<Finding>> = BTreeMap::new();
    for finding in ledger.into_values() {
        found.entry(finding.at).or_default().push(finding);
    }
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for finding in found.into_values().flatten() {
        *counts.entry(finding.rule.id.to_string()).or_default() += 1;
        say(&line(&finding));
    }
    let all: u64 = counts.values().sum();
    let by_rule: Vec<String> = counts
        .iter()
        .map(|(rule, count)| format!("{rule} {count}"))
        .collect();
    say(&format!("{all} alerts: {}", by_rule.join(", ")));
    database.close().await;
    Ok(())
}

fn line(finding: &Finding) -> String {
    let severity = finding.rule.severity.as_str();
    let group = finding.group.join(" ");
    let (at, id, value) = (finding.at, &finding.rule.id, finding.value);
    // What an attacker sent stays on its line.
    let group: String = group
        .chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect();
    format!("{at} {severity:8} {id} {group} ({value}) {}", finding.fingerprint)
}
