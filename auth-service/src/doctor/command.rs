//! `auth-service doctor`.

use std::cmp::Reverse;
use std::path::Path;

use shared::runtime::cli::StartError;

use super::examine;
use super::finding::Verdict;
use crate::command::Printer;

const COLUMNS: [&str; 4] = ["VERDICT", "CHECK", "FOUND", "MEND"];

/// Prints what was found, what is wrong first; an error if anything is wrong, so that a pipeline stops.
pub(crate) async fn doctor(config: Option<&Path>, printer: Printer) -> Result<(), StartError> {
    let mut findings = examine(config).await;
    findings.sort_by_key(|finding| Reverse(finding.verdict));
    let wrong = findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Wrong)
        .count();
    let (count, rows) = (findings.len(), findings.into_iter());
    let row = |finding: super::finding::Finding| {
        let verdict = finding.verdict.as_str().to_owned();
        vec![verdict, finding.check, finding.found, finding.mend]
    };
    printer.rows(&COLUMNS, rows.map(row));
    match wrong {
        0 => Ok(()),
        wrong => Err(StartError::failed(format!(
            "{wrong} of {count} checks found something wrong"
        ))),
    }
}
