//! The condition of a rule: selections joined by `and`, `or`, `not`, brackets, `1 of` and `all of` (Sigma 2.1). Pure.

use super::matcher::Matcher;
use crate::detection::field::Seen;

/// Words of a condition at most.
const WORDS_MAX: usize = 200;

/// Brackets and `not`s within each other at most.
const DEPTH_MAX: u32 = 20;

/// Lines that must all hold.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Its name in the rule.
    pub name: String,
    /// Its lines.
    pub lines: Vec<Matcher>,
}

impl Selection {
    /// Whether an event has all of its lines.
    pub fn matches(&self, seen: &Seen<'_>) -> bool {
        self.lines.iter().all(|line| line.matches(seen))
    }
}

/// What must hold of an event.
#[derive(Clone, Debug)]
pub enum Condition {
    /// A selection.
    Is(Selection),
    /// Not that.
    Not(Box<Condition>),
    /// All of these.
    All(Vec<Condition>),
    /// One of these.
    Any(Vec<Condition>),
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCondition {
    /// It ends where something should follow.
    #[error("the condition ends too early")]
    Ended,
    /// A word that makes no sense there.
    #[error("{0:?} makes no sense here in the condition")]
    Unexpected(String),
    /// No such selection.
    #[error("the condition names the selection {0:?}, which there is not")]
    Unknown(String),
    /// Too long or too deep.
    #[error("the condition has more than {WORDS_MAX} words or is nested deeper than {DEPTH_MAX}")]
    TooLarge,
}

impl Condition {
    /// Reads a condition over `selections`.
    pub fn parse(text: &str, selections: &[Selection]) -> Result<Self, InvalidCondition> {
        let spaced = text.replace('(', " ( ").replace(')', " ) ");
        let words: Vec<&str> = spaced.split_whitespace().collect();
        if words.len() > WORDS_MAX {
            return Err(InvalidCondition::TooLarge);
        }
        let mut parser = Parser {
            words: &words,
            selections,
            depth: 0,
        };
        let condition = parser.any()?;
        match parser.words.first() {
            None => Ok(condition),
            Some(word) => Err(InvalidCondition::Unexpected((*word).to_owned())),
        }
    }

    /// Whether an event is what is looked for.
    pub fn matches(&self, seen: &Seen<'_>) -> bool {
        match self {
            Self::Is(selection) => selection.matches(seen),
            Self::Not(inner) => !inner.matches(seen),
            Self::All(conditions) => conditions.iter().all(|condition| condition.matches(seen)),
            Self::Any(conditions) => conditions.iter().any(|condition| condition.matches(seen)),
        }
    }
}

struct Parser<'a> {
    words: &'a [&'a str],
    selections: &'a [Selection],
    depth: u32,
}

impl<'a> Parser<'a> {
    fn any(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.all()?];
        while self.take("or") {
            conditions.push(self.all()?);
        }
        Ok(single_or(conditions, Condition::Any))
    }

    fn all(&mut self) -> Result<Condition, InvalidCondition> {
        let mut conditions = vec![self.single()?];
        while self.take("and") {
            conditions.push(self.single()?);
        }
        Ok(single_or(conditions, Condition::All))
    }

    fn single(&mut self) -> Result<Condition, InvalidCondition> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(InvalidCondition::TooLarge);
        }
        let word = self.next()?;
        let condition = match word {
            "not" => Condition::Not(Box::new(self.single()?)),
            "(" => {
                let inner = self.any()?;
                match self.next()? {
                    ")" => inner,
                    other => return Err(InvalidCondition::Unexpected(other.to_owned())),
                }
            }
            "1" | "any" | "all" if self.take("of") => {
                let name = self.next()?;
                let conditions = self.named(name)?;
                if word == "all" {
                    Condition::All(conditions)
                } else {
                    Condition::Any(conditions)
                }
            }
            "and" | "or" | ")" | "of" => return Err(InvalidCondition::Unexpected(word.to_owned())),
            name => match self.selections.iter().find(|selection| selection.name == name) {
                Some(selection) => Condition::Is(selection.clone()),
                None => return Err(InvalidCondition::Unknown(name.to_owned())),
            },
        };
        self.depth -= 1;
        Ok(condition)
    }

    /// Every selection that `name` means: `them`, or a name with `*` at its end.
    fn named(&self, name: &str) -> Result<Vec<Condition>, InvalidCondition> {
        let is_meant = |selection: &&Selection| match name.strip_suffix('*') {
            Some(beginning) => selection.name.starts_with(beginning),
            None => name == "them" || selection.name == name,
        };
        let meant: Vec<_> = self
            .selections
            .iter()
            .filter(is_meant)
            .cloned()
            .map(Condition::Is)
            .collect();
        if meant.is_empty() {
            return Err(InvalidCondition::Unknown(name.to_owned()));
        }
        Ok(meant)
    }

    fn take(&mut self, word: &str) -> bool {
        match self.words.split_first() {
            Some((first, rest)) if *first == word => {
                self.words = rest;
                true
            }
            _ => false,
        }
    }

    fn next(&mut self) -> Result<&'a str, InvalidCondition> {
        let (first, rest) = self.words.split_first().ok_or(InvalidCondition::Ended)?;
        self.words = rest;
        Ok(first)
    }
}

fn single_or(mut conditions: Vec<Condition>, many: fn(Vec<Condition>) -> Condition) -> Condition {
    match (conditions.len(), conditions.pop()) {
        (1, Some(condition)) => condition,
        (_, Some(last)) => {
            conditions.push(last);
            many(conditions)
        }
        (_, None) => many(conditions),
    }
}

#[cfg(test)]
mod tests {
    use shared::clock::UtcMicros;
    use shared::event::{Class, Draft, Facts, Outcome, Source};
    use uuid::Uuid;

    use super::*;
    use crate::detection::rule::lists::Lists;

    fn selections() -> Vec<Selection> {
        [
            ("a1", "action", "x"),
            ("a2", "reason", "y"),
            ("b", "outcome", "denied"),
        ]
        .map(|(name, field, value)| Selection {
            name: name.into(),
            lines: vec![Matcher::compile(field, &value.into(), &Lists::default()).unwrap()],
        })
        .into()
    }

    fn holds(condition: &str) -> bool {
        // `a1` and `b` hold, `a2` does not.
        let facts = Facts::new(Class::Access, "x", Outcome::Denied);
        let source = Source {
            service: "api-service".into(),
            instance: "one".into(),
            boot: Uuid::nil(),
        };
        let event = Draft::new(UtcMicros::from_seconds(0), facts).numbered(source, 1);
        let seen = Seen {
            event: &event,
            at: event.time,
            place: None,
        };
        Condition::parse(condition, &selections()).unwrap().matches(&seen)
    }

    #[test]
    fn conditions_are_read_with_and_before_or() {
        for (condition, expected) in [
            ("a1", true),
            ("a2", false),
            ("not a2", true),
            ("a1 and b", true),
            ("a1 and not b", false),
            ("a2 and b or a1", true),
            ("a2 and (b or a1)", false),
            ("1 of a*", true),
            ("all of a*", false),
            ("all of them", false),
            ("any of them", true),
            ("not (a1 and a2)", true),
        ] {
            assert_eq!(holds(condition), expected, "{condition}");
        }
    }

    #[test]
    fn what_is_no_condition_says_why() {
        let deep = format!("{}a1{}", "(".repeat(30), ")".repeat(30));
        for (condition, error) in [
            ("", InvalidCondition::Ended),
            ("a1 and", InvalidCondition::Ended),
            ("(a1", InvalidCondition::Ended),
            ("a1 a2", InvalidCondition::Unexpected("a2".into())),
            ("a1 or or b", InvalidCondition::Unexpected("or".into())),
            ("c", InvalidCondition::Unknown("c".into())),
            ("1 of c*", InvalidCondition::Unknown("c*".into())),
            (deep.as_str(), InvalidCondition::TooLarge),
        ] {
            assert_eq!(
                Condition::parse(condition, &selections()).unwrap_err(),
                error,
                "{condition}"
            );
        }
    }
}
