//! The tests that a rule carries: events, and the groups that must be told. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value as Json};
use serde_saphyr::Spanned;
use shared::clock::UtcMicros;
use shared::event::{Class, Event, Facts, Source, stable_event_id};
use uuid::Uuid;

use super::compile::{Problem, compile};
use super::duration;
use super::file::{PlaceFile, TestFile};
use super::{Lists, Rule, RuleSet};
use crate::detection::engine::{Record, Replay};
use crate::detection::field::{Field, Known};
use crate::enrichment::{Country, Place};

/// When the first event of a test happens: a Monday at noon, in UTC.
const BEGINNING: UtcMicros = UtcMicros::from_seconds(1_768_219_200);

/// Events of a test at most.
const EVENTS_MAX: u64 = 20_000;

/// How long one lasts at most: some years, since habits are remembered for one.
const LASTS_MAX: Duration = Duration::from_hours(24 * 1_000);

/// What waits for something that does not come has waited long enough after this.
const AFTERWARDS: Duration = Duration::from_hours(48);

/// A test.
#[derive(Clone, Debug)]
pub struct Trial {
    /// What it says, as a sentence.
    pub name: String,
    templates: Arc<[Template]>,
    places: Arc<BTreeMap<String, PlaceFile>>,
    alerts: Vec<Vec<String>>,
    lists: Lists,
}

/// An event with members that say when and how often.
type Template = BTreeMap<String, Json>;

/// A test that found something else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}: {trial}: expected alerts for {expected:?}, found {found:?}")]
pub struct Failure {
    /// The rule.
    pub rule: String,
    /// The test.
    pub trial: String,
    /// The groups that should be told.
    pub expected: Vec<Vec<String>>,
    /// The groups that were.
    pub found: Vec<Vec<String>>,
}

impl Trial {
    /// The tests of a file, or what is wrong with them.
    pub(super) fn of_files(files: Vec<TestFile>, lists: &Lists) -> Result<Vec<Self>, Vec<Problem>> {
        let (mut trials, mut problems) = (Vec::new(), Vec::new());
        for file in files {
            match Self::of_file(file, lists) {
                Ok(trial) => trials.push(trial),
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() {
            Ok(trials)
        } else {
            Err(problems)
        }
    }

    fn of_file(file: TestFile, lists: &Lists) -> Result<Self, Vec<Problem>> {
        let mut times = 0;
        let wrong = |template: &Spanned<Template>| {
            let repeated = repetition(&template.value).map(|repetition| times += repetition.times);
            let too_many = || (times > EVENTS_MAX).then(|| format!("a test has at most {EVENTS_MAX} events"));
            let tried = repeated.and_then(|()| event(&template.value, 0));
            tried.err().or_else(too_many).map(|cause| Problem {
                line: Some(template.referenced.line()),
                cause: format!("test {:?}: {cause}", file.name),
            })
        };
        let problems: Vec<_> = file.events.iter().filter_map(wrong).collect();
        if !problems.is_empty() {
            return Err(problems);
        }
        let mut alerts = file.alerts;
        alerts.sort_unstable();
        Ok(Self {
            name: file.name,
            templates: file.events.into_iter().map(|template| template.value).collect(),
            places: Arc::new(file.places),
            alerts,
            lists: lists.for_test(&file.lists),
        })
    }

    /// Whether something must be found.
    pub fn is_positive(&self) -> bool {
        !self.alerts.is_empty()
    }

    /// What is looked at.
    pub fn events(&self) -> Vec<Record> {
        let mut events = Vec::new();
        for template in self.templates.iter() {
            // Both were tried when the rule was read.
            if let Ok(repetition) = repetition(template) {
                expand(template, &repetition, &self.places, &mut events);
            }
        }
        events
    }

    /// Runs it, with the same engine that runs on the log.
    pub fn run(&self, rule: &Arc<Rule>) -> Result<(), Failure> {
        let events = self.events();
        let last = events.iter().map(Record::at).max().unwrap_or(BEGINNING);
        // The same rule, with the lists of the test. It has compiled before.
        let own = compile(&rule.file, &rule.source, &self.lists).map_or_else(|_| Arc::clone(rule), Arc::new);
        let mut replay = Replay::new(RuleSet::of(vec![own]), None);
        replay.take(events);
        let mut found: Vec<_> = replay
            .end(last.plus(AFTERWARDS))
            .into_values()
            .map(|finding| finding.group)
            .collect();
        found.sort_unstable();
        if found == self.alerts {
            return Ok(());
        }
        Err(Failure {
            rule: rule.id.to_string(),
            trial: self.name.clone(),
            expected: self.alerts.clone(),
            found,
        })
    }
}

/// Members of a template that are no fields.
struct Repetition {
    at: Duration,
    times: u64,
    every: Duration,
}

fn expand(
    template: &Template,
    repetition: &Repetition,
    places: &BTreeMap<String, PlaceFile>,
    events: &mut Vec<Record>,
) {
    for n in 0..repetition.times {
        let after = repetition
            .every
            .saturating_mul(u32::try_from(n).unwrap_or(u32::MAX));
        let at = BEGINNING.plus(repetition.at).plus(after);
        let Ok((facts, source)) = event(template, n) else {
            continue;
        };
        let ip = facts.client.as_ref().and_then(|client| client.ip.as_ref());
        let place = ip.and_then(|ip| places.get(ip)).map(place_of);
        let mut rest = [0; 10];
        rest[2..].copy_from_slice(&(events.len() as u64).to_be_bytes());
        events.push(Record {
            event: Arc::new(Event {
                id: stable_event_id(at, &rest),
                time: at,
                source,
                seq: n + 1,
                facts,
            }),
            recorded_at: at,
            time_suspect: false,
            place,
        });
    }
}

fn repetition(members: &Template) -> Result<Repetition, String> {
    let time = |name: &str| match members.get(name) {
        None => Ok(Duration::ZERO),
        Some(Json::String(text)) => duration::parse(text).map_err(|error| error.to_string()),
        Some(_) => Err(format!("`{name}` is a duration such as 30s")),
    };
    let times = match members.get("repeat") {
        None => 1,
        Some(times) => times.as_u64().ok_or("`repeat` is a number of times")?,
    };
    if times > EVENTS_MAX {
        return Err(format!("a test has at most {EVENTS_MAX} events"));
    }
    let (at, every) = (time("at")?, time("every")?);
    let lasts = every
        .saturating_mul(u32::try_from(times).unwrap_or(u32::MAX))
        .saturating_add(at);
    if lasts > LASTS_MAX {
        return Err(format!(
            "a test lasts at most {} days",
            LASTS_MAX.as_secs() / 86_400
        ));
    }
    Ok(Repetition { at, times, every })
}

/// The `n`th event of a template: `{n}` in its texts is that number.
fn event(members: &Template, n: u64) -> Result<(Facts, Source), String> {
    let mut facts = Map::new();
    let mut source = Source {
        service: "api-service".into(),
        instance: "test".into(),
        boot: Uuid::nil(),
    };
    let own = ["at", "repeat", "every"];
    for (name, value) in members.iter().filter(|(name, _)| !own.contains(&name.as_str())) {
        let value = with_number(value, n);
        match Field::parse(name) {
            Some(Field::Known(Known::Service)) => {
                value.as_str().unwrap_or_default().clone_into(&mut source.service);
            }
            Some(Field::Known(Known::Instance)) => value
                .as_str()
                .unwrap_or_default()
                .clone_into(&mut source.instance),
            Some(Field::Known(
                Known::User
                | Known::Network
                | Known::Program
                | Known::Country
                | Known::Asn
                | Known::Hour
                | Known::Weekday,
            )) => return Err(format!("{name} follows from other fields and cannot be given")),
            Some(_) => put(&mut facts, name, value),
            None => return Err(format!("there is no field {name:?}")),
        }
    }
    let action = facts
        .get("action")
        .and_then(Json::as_str)
        .ok_or("an event has an `action`")?;
    let class = class_of(action);
    facts.entry("class").or_insert_with(|| class.as_str().into());
    facts.entry("outcome").or_insert_with(|| "success".into());
    for (object, member, default) in [
        ("http", "method", "GET"),
        ("http", "path", "/"),
        ("policy", "door", "proxy"),
        ("trace", "request_id", "test"),
    ] {
        if let Some(object) = facts.get_mut(object).and_then(Json::as_object_mut) {
            object.entry(member).or_insert_with(|| default.into());
        }
    }
    let facts = serde_json::from_value(Json::Object(facts)).map_err(|error| error.to_string())?;
    Ok((facts, source))
}

fn class_of(action: &str) -> Class {
    let begins = |beginnings: &[&str]| beginnings.iter().any(|beginning| action.starts_with(beginning));
    if begins(&["api_re", "reported_"]) {
        Class::Access
    } else if begins(&["authn_", "mfa_", "session_", "consent_", "excess_"]) {
        Class::Auth
    } else if begins(&[
        "boot",
        "heartbeat",
        "bye",
        "log_",
        "source_",
        "events_",
        "upstream_",
        "policy_",
    ]) {
        Class::System
    } else {
        Class::Admin
    }
}

/// Puts a value at a dotted name.
fn put(object: &mut Map<String, Json>, name: &str, value: Json) {
    match name.split_once('.') {
        None => {
            object.insert(name.to_owned(), value);
        }
        Some((first, rest)) => {
            let inner = object.entry(first).or_insert_with(|| Json::Object(Map::new()));
            if let Some(inner) = inner.as_object_mut() {
                put(inner, rest, value);
            }
        }
    }
}

fn with_number(value: &Json, n: u64) -> Json {
    match value {
        Json::String(text) => text.replace("{n}", &n.to_string()).into(),
        Json::Array(list) => list.iter().map(|value| with_number(value, n)).collect(),
        other => other.clone(),
    }
}

fn place_of(file: &PlaceFile) -> Place {
    Place {
        country: file.country.as_deref().and_then(Country::of),
        coordinates: file.north.zip(file.east),
        asn: file.asn,
    }
}
