//! A rule's file → the rule, or everything that is wrong with it. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::condition::{Condition, Selection};
use super::file::{CorrelationFile, RespondFile, RuleFile};
use super::lists::Lists;
use super::matcher::Matcher;
use super::trial::Trial;
use super::{Respond, Rule, duration};
use crate::detection::field::Field;
use crate::response::Order;

/// The longest id, in bytes.
const ID_BYTES_MAX: usize = 64;

/// Fields of a group at most.
const GROUP_FIELDS_MAX: usize = 4;

/// The longest period with one alert; a whole number of them must make a day, so that periods are the same for all.
const REPEAT_MAX: Duration = Duration::from_hours(24);

/// The usual period with one alert for a group.
const REPEAT: Duration = Duration::from_hours(1);

/// What is wrong, and on which line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) line: Option<u64>,
    pub(super) cause: String,
}

/// Gathers what is wrong, so that all of it is told at once.
pub(super) struct Compiler<'l> {
    lists: &'l Lists,
    problems: Vec<Problem>,
    pub(super) selections: Vec<Selection>,
}

/// The rule of the file named `file` with the text `source`.
pub(super) fn compile(file: &str, source: &str, lists: &Lists) -> Result<Rule, Vec<Problem>> {
    let parsed: RuleFile = serde_saphyr::from_str(source).map_err(|error| vec![unreadable(&error)])?;
    let mut compiler = Compiler {
        lists,
        problems: Vec::new(),
        selections: Vec::new(),
    };
    let rule = compiler.rule(file, source, parsed);
    match rule {
        Some(rule) if compiler.problems.is_empty() => Ok(rule),
        _ => Err(compiler.problems),
    }
}

/// What the YAML reader says, on one line.
pub(super) fn unreadable(error: &serde_saphyr::Error) -> Problem {
    let text = error.without_snippet().to_string();
    Problem {
        line: error.location().map(|location| location.line()),
        cause: text.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

impl Compiler<'_> {
    pub(super) fn problem<T>(&mut self, at: &Spanned<T>, cause: impl Into<String>) {
        self.problems.push(Problem {
            line: Some(at.referenced.line()),
            cause: cause.into(),
        });
    }

    fn rule(&mut self, file: &str, source: &str, mut parsed: RuleFile) -> Option<Rule> {
        if !is_word(&parsed.id.value) {
            self.problem(
                &parsed.id,
                "an id is of at most 64 lower-case letters, digits and hyphens",
            );
        }
        for text in [&parsed.title, &parsed.description] {
            if text.value.trim().is_empty() {
                self.problem(text, "this must say something");
            }
        }
        for (name, lines) in &parsed.detection.selections {
            self.selection(name, lines);
        }
        let condition = self.condition(&parsed.detection.condition);
        let group_by = self.group_by(&parsed.correlation);
        let repeat = self.repeat(parsed.repeat.as_ref());
        let respond = self.respond(&parsed.respond, group_by.as_deref().unwrap_or_default());
        let pattern = self.pattern(condition?, &parsed.correlation);
        let trials = Trial::of_files(std::mem::take(&mut parsed.tests.value), self.lists);
        match &trials {
            Err(problems) => self.problems.extend_from_slice(problems),
            Ok(trials)
                if !(trials.iter().any(Trial::is_positive)
                    && trials.iter().any(|trial| !trial.is_positive())) =>
            {
                self.problem(
                    &parsed.tests,
                    "a rule has a test that finds something and one that finds nothing",
                );
            }
            Ok(_) => {}
        }
        let line = parsed.id.referenced.line();
        Some(Rule {
            id: parsed.id.value.into(),
            title: parsed.title.value,
            description: parsed.description.value,
            severity: parsed.severity,
            status: parsed.status,
            falsepositives: parsed.falsepositives,
            references: parsed.references,
            tags: parsed.tags,
            version: version(source),
            file: file.to_owned(),
            line,
            source: source.to_owned(),
            pattern: pattern?,
            group_by: group_by?,
            respond,
            repeat: repeat?,
            trials: trials.ok()?,
        })
    }

    fn selection(&mut self, name: &str, lines: &BTreeMap<String, Spanned<Json>>) {
        let mut matchers = Vec::new();
        for (key, value) in lines {
            match Matcher::compile(key, &value.value, self.lists) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => self.problem(value, error.to_string()),
            }
        }
        self.selections.push(Selection {
            name: name.to_owned(),
            lines: matchers,
        });
    }

    pub(super) fn condition(&mut self, text: &Spanned<String>) -> Option<Condition> {
        Condition::parse(&text.value, &self.selections)
            .map_err(|error| self.problem(text, error.to_string()))
            .ok()
    }

    pub(super) fn field(&mut self, name: &Spanned<String>) -> Option<Field> {
        let field = Field::parse(&name.value);
        if field.is_none() {
            self.problem(name, format!("there is no field {:?}", name.value));
        }
        field
    }

    pub(super) fn field_in<T>(&mut self, at: &Spanned<T>, name: Option<&String>) -> Option<Field> {
        let Some(name) = name else {
            self.problem(at, "this needs a `field`");
            return None;
        };
        let field = Field::parse(name);
        if field.is_none() {
            self.problem(at, format!("there is no field {name:?}"));
        }
        field
    }

    fn group_by(&mut self, correlation: &CorrelationFile) -> Option<Vec<Field>> {
        let names = &correlation.group_by;
        if names.value.is_empty() || names.value.len() > GROUP_FIELDS_MAX {
            self.problem(
                names,
                format!("group-by names from 1 to {GROUP_FIELDS_MAX} fields"),
            );
        }
        let fields: Vec<_> = names.value.iter().map(|name| self.field(name)).collect();
        fields.into_iter().collect()
    }

    fn repeat(&mut self, repeat: Option<&Spanned<String>>) -> Option<Duration> {
        let Some(text) = repeat else {
            return Some(REPEAT);
        };
        let repeat = self.duration(text)?;
        let seconds = repeat.as_secs();
        if seconds < 60 || repeat > REPEAT_MAX || !REPEAT_MAX.as_secs().is_multiple_of(seconds) {
            self.problem(text, "a whole number of `repeat`s makes a day, from 1m to 1d");
            return None;
        }
        Some(repeat)
    }

    fn respond(&mut self, wanted: &[Spanned<RespondFile>], group_by: &[Field]) -> Vec<Respond> {
        let mut orders = Vec::new();
        for entry in wanted {
            let RespondFile {
                action,
                r#for,
                dry_run,
            } = &entry.value;
            let place = group_by.iter().position(|field| field.name() == action.field());
            let lifetime = match r#for.as_deref().map(duration::parse).transpose() {
                Ok(lifetime) => lifetime,
                Err(error) => {
                    self.problem(entry, error.to_string());
                    continue;
                }
            };
            let Some(place) = place else {
                let (word, field) = (action.as_str(), action.field());
                self.problem(entry, format!("{word} needs {field} in group-by"));
                continue;
            };
            // Any value does for finding out whether the duration is one.
            match Order::new(*action, "::1", lifetime) {
                Ok(_) => orders.push(Respond {
                    action: *action,
                    place,
                    lifetime,
                    is_dry_run: *dry_run,
                }),
                Err(error) => self.problem(entry, error.to_string()),
            }
        }
        orders
    }

    pub(super) fn duration(&mut self, text: &Spanned<String>) -> Option<Duration> {
        duration::parse(&text.value)
            .map_err(|error| self.problem(text, error.to_string()))
            .ok()
    }
}

fn is_word(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= ID_BYTES_MAX && text.bytes().all(is_plain)
}

fn version(source: &str) -> String {
    let hash = digest(&SHA256, source.as_bytes());
    let bytes = hash.as_ref().iter().take(6);
    let number = bytes.fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}")
}
