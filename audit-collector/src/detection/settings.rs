//! The settings of the detection.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use shared::runtime::settings::{Reader, Setting};

use super::place::Places;
use super::rule::{InvalidRules, RuleSet, RuleSource};

const RULES_DIR: Setting = Setting::without_default(
    "rules_dir",
    "a folder with detection rules, lists and suppressions of your own; a rule with the id of one of the program replaces it",
);
const PLACES_FILE: Setting = Setting::without_default(
    "places_file",
    "a MaxMind DB file (MMDB) that says where addresses are; without it, rules about places find nothing",
);

/// What is looked for, and by what map.
#[derive(Clone, Debug)]
pub struct DetectionSettings {
    /// Where the rules are from.
    pub source: RuleSource,
    /// The rules as they were when they were first read.
    pub rules: RuleSet,
    /// Where addresses are, if there is a file that says so.
    pub places: Option<Arc<Places>>,
}

impl DetectionSettings {
    /// Every setting, for the documentation.
    pub const SETTINGS: [Setting; 2] = [RULES_DIR, PLACES_FILE];

    /// The settings that `reader` holds; `issuer` is the `iss` of Gatelog's tokens.
    pub fn read(reader: &mut Reader, issuer: &str) -> Option<Self> {
        let folder: Option<Option<PathBuf>> = reader.optional(&RULES_DIR);
        let places: Option<Option<PathBuf>> = reader.optional(&PLACES_FILE);
        let loaded = Self::load(issuer, folder?, places?.as_deref());
        loaded
            .map_err(|problems| problems.into_iter().for_each(|problem| reader.problem(problem)))
            .ok()
    }

    /// Reads the rules of the program and those in `folder`, and the map of addresses; or says everything that is wrong.
    pub fn load(issuer: &str, folder: Option<PathBuf>, places: Option<&Path>) -> Result<Self, Vec<String>> {
        let source = RuleSource {
            folder,
            issuer: issuer.to_owned(),
        };
        let opened = places.map(Places::open).transpose();
        match (source.load(), opened) {
            (Ok(rules), Ok(places)) => Ok(Self {
                source,
                rules,
                places: places.map(Arc::new),
            }),
            (rules, places) => {
                let of_rules = rules
                    .err()
                    .map(|InvalidRules(problems)| problems)
                    .unwrap_or_default();
                let problems = of_rules.into_iter().map(|problem| problem.to_string());
                Err(problems
                    .chain(places.err().map(|error| error.to_string()))
                    .collect())
            }
        }
    }
}
