//! The settings of the detection.

use std::path::PathBuf;
use std::sync::Arc;

use shared::runtime::settings::{Reader, Setting};

use super::rule::{InvalidRules, RuleSet, RuleSource};
use crate::pseudonym::Pseudonyms;

const RULES_DIR: Setting = Setting::without_default(
    "rules_dir",
    "a folder with detection rules, lists and suppressions of your own; a rule with the id of one of the program replaces it",
);

/// What is looked for.
#[derive(Clone, Debug)]
pub struct DetectionSettings {
    /// Where the rules are from.
    pub source: RuleSource,
    /// The rules as they were when they were first read.
    pub rules: RuleSet,
}

impl DetectionSettings {
    /// Every setting, for the documentation.
    pub const SETTINGS: [Setting; 1] = [RULES_DIR];

    /// The settings that `reader` holds; `issuer` is the `iss` of Gatelog's tokens, and `pseudonyms` hide what events say.
    pub fn read(reader: &mut Reader, issuer: &str, pseudonyms: Option<Arc<Pseudonyms>>) -> Option<Self> {
        let folder: Option<Option<PathBuf>> = reader.optional(&RULES_DIR);
        Self::load(issuer, folder?, pseudonyms)
            .map_err(|problems| problems.into_iter().for_each(|problem| reader.problem(problem)))
            .ok()
    }

    /// Reads the rules of the program and those in `folder`, or says everything that is wrong with them.
    pub fn load(
        issuer: &str,
        folder: Option<PathBuf>,
        pseudonyms: Option<Arc<Pseudonyms>>,
    ) -> Result<Self, Vec<String>> {
        let source = RuleSource {
            folder,
            issuer: issuer.to_owned(),
            pseudonyms,
        };
        match source.load() {
            Ok(rules) => Ok(Self { source, rules }),
            Err(InvalidRules(problems)) => {
                Err(problems.into_iter().map(|problem| problem.to_string()).collect())
            }
        }
    }
}
