//! `audit-collector completeness`: the same answer from the database itself.

use std::path::Path;

use clap::Args;
use shared::clock::UtcMicros;
use shared::database::Database;
use shared::runtime::cli::{COMMAND_PATIENCE, StartError, say};

use super::{Completeness, Finding, Kind, Verdict, completeness};
use crate::schema::SCHEMA;
use crate::search::Period;
use crate::settings::Settings;

/// Which period, and for whom.
#[derive(Debug, Args)]
pub struct CompletenessCommand {
    /// The first moment (RFC 3339).
    #[arg(long)]
    from: Option<UtcMicros>,
    /// The first moment after; without it the period reaches as far as can be known.
    #[arg(long)]
    to: Option<UtcMicros>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

impl CompletenessCommand {
    /// Does it; an error if the period is not complete.
    pub async fn run(self, config: Option<&Path>) -> Result<(), StartError> {
        let period = Period {
            from: self.from,
            to: self.to,
        };
        period.check().map_err(StartError::failed)?;
        let settings = Settings::load(config)?;
        let database = Database::open_within(&settings.database_url, &SCHEMA, COMMAND_PATIENCE).await?;
        let settled_before = settings.clock.now().minus(settings.gap_after);
        let answer = completeness(&database, &period, settled_before).await;
        database.close().await;
        let answer = answer.map_err(StartError::failed)?;
        if self.json {
            say(&serde_json::to_string_pretty(&answer).map_err(StartError::failed)?);
        } else {
            for line in lines(&answer) {
                say(&line);
            }
        }
        match answer.verdict {
            Verdict::Complete => Ok(()),
            Verdict::Incomplete => Err(StartError::failed("the period is not complete")),
            Verdict::Unknown => Err(StartError::failed("no source was heard before the period ended")),
        }
    }
}

/// The answer for people.
fn lines(answer: &Completeness) -> Vec<String> {
    let mut lines: Vec<String> = answer.findings.iter().map(line).collect();
    if answer.findings_total > answer.findings.len() {
        let more = answer.findings_total - answer.findings.len();
        lines.push(format!("and {more} more"));
    }
    let counts = answer.sources;
    lines.push(format!(
        "sources: {} live, {} ended, {} silent; events not counted yet: {}",
        counts.live, counts.ended, counts.silent, answer.lag
    ));
    let until = answer.known_until.map_or_else(
        || "every source has ended".to_owned(),
        |until| format!("known until {until}"),
    );
    lines.push(match answer.verdict {
        Verdict::Complete => format!("complete; {until}"),
        Verdict::Incomplete => format!("not complete; {until}"),
        Verdict::Unknown => "unknown; no source was heard before the period ended".to_owned(),
    });
    lines
}

fn line(finding: &Finding) -> String {
    let source = format!("{}/{}/{}", finding.service, finding.instance, finding.boot);
    let number = |number: Option<u64>| number.map_or_else(|| "?".to_owned(), |number| number.to_string());
    let moment =
        |moment: Option<UtcMicros>| moment.map_or_else(|| "?".to_owned(), |moment| moment.to_string());
    let (first, last, count) = (number(finding.first), number(finding.last), number(finding.count));
    let (after, before) = (moment(finding.after), moment(finding.before));
    match finding.kind {
        Kind::Gap => format!("{source}: {count} missing of {first} to {last}, between {after} and {before}"),
        Kind::Silent => format!("{source}: silent after {last}, since {after}"),
        Kind::TailUnknown => format!(
            "{source}: started anew at {before} without having ended; unknown after {last}, since {after}"
        ),
        Kind::Altered => format!("{source}: some of {first} to {last} are not as they were sent"),
        Kind::NumberReused => format!("{source}: {count} events have numbers that others had before"),
    }
}
