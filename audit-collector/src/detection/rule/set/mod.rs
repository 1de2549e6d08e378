//! All rules together: those that come with the program, and the operator's own over them.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use shared::clock::UtcMicros;

use super::compile::{Problem, compile, unreadable};
use super::{Lists, Rule, Suppression, lists, suppression};
use crate::pseudonym::Pseudonyms;

/// Rules at most: each is tried on each event.
const RULES_MAX: usize = 500;

/// The largest file of a rule, in bytes.
const FILE_BYTES_MAX: u64 = 256 * 1024;

/// The lists that the rules of the program name, all of them empty.
const BUILT_IN_LISTS: &str = include_str!("../../../../rules/lists.yaml");

/// Names the files that come with the program, and holds their texts.
macro_rules! built_in {
    ($($name:literal),+ $(,)?) => {
        const BUILT_IN: &[(&str, &str)] = &[
            $((concat!($name, ".yaml"), include_str!(concat!("../../../../rules/", $name, ".yaml")))),+
        ];
    };
}

built_in!(
    "audit-log-refused",
    "audit-log-spree",
    "brute-force-account",
    "canary-used",
    "client-secret-guessing",
    "credential-stuffing",
    "distributed-brute-force",
    "dormant-account",
    "endpoint-enumeration",
    "events-shed",
    "expired-token-storm",
    "factor-removed-by-admin",
    "forged-signature",
    "ghost-token",
    "impossible-travel",
    "log-gap",
    "new-program",
    "object-enumeration",
    "off-hours-administration",
    "password-spraying",
    "privilege-probing",
    "refresh-token-reuse",
    "revoked-token-used",
    "role-granted",
    "role-widened",
    "scraping-volume",
    "second-factor-guessing",
    "source-silent",
    "success-after-failures",
    "token-algorithm-trick",
    "token-many-networks",
    "token-many-programs",
);

/// Where rules are from.
#[derive(Clone, Debug, Default)]
pub struct RuleSource {
    /// The operator's folder.
    pub folder: Option<PathBuf>,
    /// The `iss` of Gatelog's tokens, which rules name as `%issuer%`.
    pub issuer: String,
    /// What hides names and addresses in events, if anything does: rules and lists have the true ones.
    pub pseudonyms: Option<Arc<Pseudonyms>>,
}

/// Rules that are in force together.
#[derive(Clone, Debug, Default)]
pub struct RuleSet {
    rules: Arc<[Arc<Rule>]>,
    suppressions: Arc<[Suppression]>,
}

/// Something is wrong with a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleProblem {
    /// The file.
    pub file: String,
    /// The line, if it is one.
    pub line: Option<u64>,
    /// What is wrong.
    pub cause: String,
}

impl fmt::Display for RuleProblem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(formatter, "{}:{line}: {}", self.file, self.cause),
            None => write!(formatter, "{}: {}", self.file, self.cause),
        }
    }
}

/// Everything that is wrong with the rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidRules(pub Vec<RuleProblem>);

impl fmt::Display for InvalidRules {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        formatter.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for InvalidRules {}

impl RuleSource {
    /// Reads all rules. A file of the operator's with the id of a rule that came with the program replaces it.
    pub fn load(&self) -> Result<RuleSet, InvalidRules> {
        let mut own = self.texts()?;
        let silenced = own.remove(suppression::FILE);
        let mut problems = Vec::new();
        let lists = self.lists(&own, &mut problems);
        self.refuse_unnamed_lists(&own, &mut problems);
        let built_in = BUILT_IN
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        let mut rules = BTreeMap::new();
        add(&mut rules, built_in, &lists, &mut problems);
        let mut replacing = BTreeMap::new();
        let own_rules = own.into_iter().filter(|(name, _)| name != lists::FILE);
        let own_rules = own_rules.map(|(name, text)| (self.named(&name), text));
        add(&mut replacing, own_rules, &lists, &mut problems);
        rules.extend(replacing);
        if rules.len() > RULES_MAX {
            problems.push(RuleProblem {
                file: self.named(""),
                line: None,
                cause: format!("there are {} rules; at most {RULES_MAX} are used", rules.len()),
            });
        }
        let silenced = silenced.map(|text| suppression::parse(&text, |rule| rules.contains_key(rule)));
        let suppressions = silenced.unwrap_or_else(|| Ok(Vec::new())).unwrap_or_else(|more| {
            let file = self.named(suppression::FILE);
            problems.extend(more.into_iter().map(|problem| located(&file, problem)));
            Vec::new()
        });
        if problems.is_empty() {
            Ok(RuleSet {
                rules: rules.into_values().collect(),
                suppressions: suppressions.into(),
            })
        } else {
            Err(InvalidRules(problems))
        }
    }

    /// What changes whenever a file of the operator's does.
    pub fn current_hash(&self) -> Result<Vec<u8>, InvalidRules> {
        let mut context = Context::new(&SHA256);
        for (name, text) in self.texts()? {
            for part in [name, text] {
                context.update(&(part.len() as u64).to_be_bytes());
                context.update(part.as_bytes());
            }
        }
        Ok(context.finish().as_ref().to_vec())
    }

    /// The operator's files by their names.
    fn texts(&self) -> Result<BTreeMap<String, String>, InvalidRules> {
        let Some(folder) = &self.folder else {
            return Ok(BTreeMap::new());
        };
        let failed = |file: &Path, error: &dyn fmt::Display| {
            InvalidRules(vec![RuleProblem {
                file: file.display().to_string(),
                line: None,
                cause: format!("cannot be read: {error}"),
            }])
        };
        let mut texts = BTreeMap::new();
        for entry in std::fs::read_dir(folder).map_err(|error| failed(folder, &error))? {
            let path = entry.map_err(|error| failed(folder, &error))?.path();
            let is_rule = path
                .extension()
                .is_some_and(|extension| extension == "yaml" || extension == "yml");
            let Some(name) = path
                .file_name()
                .and_then(|name| name.to_str())
                .filter(|_| is_rule)
            else {
                continue;
            };
            let size = std::fs::metadata(&path)
                .map_err(|error| failed(&path, &error))?
                .len();
            if size > FILE_BYTES_MAX {
                return Err(failed(
                    &path,
                    &format!("it is larger than {FILE_BYTES_MAX} bytes"),
                ));
            }
            let text = std::fs::read_to_string(&path).map_err(|error| failed(&path, &error))?;
            texts.insert(name.to_owned(), text);
        }
        Ok(texts)
    }

    fn lists(&self, own: &BTreeMap<String, String>, problems: &mut Vec<RuleProblem>) -> Lists {
        let mut lists = Lists::default();
        let own = own
            .get(lists::FILE)
            .map(|text| (self.named(lists::FILE), text.as_str()));
        for (file, text) in [(lists::FILE.to_owned(), BUILT_IN_LISTS)].into_iter().chain(own) {
            match Lists::parse(text) {
                Ok(more) => lists.extend(more),
                Err(error) => problems.push(located(&file, unreadable(&error))),
            }
        }
        lists.insert(lists::ISSUER, vec![self.issuer.as_str().into()]);
        lists.disguised(self.pseudonyms.clone())
    }

    /// A list of the operator's that no rule names is one whose name is misspelt.
    fn refuse_unnamed_lists(&self, own: &BTreeMap<String, String>, problems: &mut Vec<RuleProblem>) {
        let named = own
            .get(lists::FILE)
            .map(|text| lists::names(text))
            .unwrap_or_default();
        let texts = || {
            BUILT_IN
                .iter()
                .map(|(_, text)| *text)
                .chain(own.values().map(String::as_str))
        };
        for (name, line) in named {
            let wanted = format!("%{name}%");
            if !texts().any(|text| text.contains(&wanted)) {
                problems.push(RuleProblem {
                    file: self.named(lists::FILE),
                    line: Some(line),
                    cause: format!("no rule names the list {wanted}"),
                });
            }
        }
    }

    fn named(&self, name: &str) -> String {
        let folder = self.folder.as_deref().unwrap_or_else(|| Path::new("rules"));
        folder.join(name).display().to_string()
    }
}

/// Compiles files and adds their rules by id.
fn add(
    rules: &mut BTreeMap<Arc<str>, Arc<Rule>>,
    files: impl Iterator<Item = (String, String)>,
    lists: &Lists,
    problems: &mut Vec<RuleProblem>,
) {
    for (file, text) in files {
        match compile(&file, &text, lists) {
            Ok(rule) => {
                if let Some(other) = rules.get(&rule.id) {
                    problems.push(RuleProblem {
                        cause: format!("the id {} is also that of {}:{}", rule.id, other.file, other.line),
                        file,
                        line: Some(rule.line),
                    });
                    continue;
                }
                rules.insert(Arc::clone(&rule.id), Arc::new(rule));
            }
            Err(more) => problems.extend(more.into_iter().map(|problem| located(&file, problem))),
        }
    }
}

fn located(file: &str, problem: Problem) -> RuleProblem {
    RuleProblem {
        file: file.to_owned(),
        line: problem.line,
        cause: problem.cause,
    }
}

impl RuleSet {
    /// These rules.
    pub fn of(rules: Vec<Arc<Rule>>) -> Self {
        Self {
            rules: rules.into(),
            ..Self::default()
        }
    }

    /// The rules, by id.
    pub fn rules(&self) -> &[Arc<Rule>] {
        &self.rules
    }

    /// What the operator's file silences.
    pub fn suppressions(&self) -> &[Suppression] {
        &self.suppressions
    }

    /// Why an alert of `rule` on `group` is told to nobody at `now`, if it is not.
    pub fn silence(&self, rule: &str, group: &[String], now: UtcMicros) -> Option<&str> {
        let covers = |suppression: &&Suppression| suppression.covers(rule, group, now);
        let covering = self.suppressions.iter().find(covers);
        covering.map(|suppression| suppression.reason.as_str())
    }

    /// The rule with that id.
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.rules.iter().find(|rule| *rule.id == *id)
    }
}
