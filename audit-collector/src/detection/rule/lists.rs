//! Lists of values that rules name as `%name%`, so that an operator adapts a rule without copying it. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;
use serde_saphyr::Spanned;

use super::matcher::InvalidMatcher;
use crate::pseudonym::Pseudonyms;

/// The file of the rules' folder that holds them.
pub(super) const FILE: &str = "lists.yaml";

/// The list whose only value is the `iss` of Gatelog's tokens.
pub(super) const ISSUER: &str = "issuer";

/// Its value in the tests of rules.
const TEST_ISSUER: &str = "https://auth.example";

/// The names of the lists of `text`, each with its line; none if it is no YAML, which is told elsewhere.
pub(super) fn names(text: &str) -> Vec<(String, u64)> {
    let named: BTreeMap<String, Spanned<Json>> = serde_saphyr::from_str(text).unwrap_or_default();
    let line_of = |values: &Spanned<Json>| values.referenced.line();
    named
        .into_iter()
        .map(|(name, values)| (name, line_of(&values)))
        .collect()
}

/// Lists by their names, and how events have what stands in them.
#[derive(Clone, Debug, Default)]
pub struct Lists {
    named: BTreeMap<String, Vec<Json>>,
    /// What hides names and addresses in events, if anything does.
    pub(super) pseudonyms: Option<Arc<Pseudonyms>>,
}

impl Lists {
    /// The lists of `text`, which is YAML: a name and its values on each line.
    pub(super) fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        let named = serde_saphyr::from_str(text)?;
        Ok(Self {
            named,
            pseudonyms: None,
        })
    }

    /// Those of `others` over these.
    pub(super) fn extend(&mut self, others: Self) {
        self.named.extend(others.named);
    }

    /// These lists as a test has them: empty but for its own, with the issuer that all tests have.
    pub(super) fn for_test(&self, own: &BTreeMap<String, Vec<Json>>) -> Self {
        let mut lists: BTreeMap<_, _> = self.named.keys().map(|name| (name.clone(), Vec::new())).collect();
        lists.insert(ISSUER.to_owned(), vec![TEST_ISSUER.into()]);
        lists.extend(own.clone());
        Self {
            named: lists,
            pseudonyms: None,
        }
    }

    /// The same for events in which `pseudonyms` hid what was to be hidden.
    pub(super) fn disguised(self, pseudonyms: Option<Arc<Pseudonyms>>) -> Self {
        Self { pseudonyms, ..self }
    }

    /// One more list.
    pub(super) fn insert(&mut self, name: &str, values: Vec<Json>) {
        self.named.insert(name.to_owned(), values);
    }

    /// `values` with the values of a list in place of its name.
    pub(super) fn expand(&self, values: &[Json]) -> Result<Vec<Json>, InvalidMatcher> {
        let mut expanded = Vec::new();
        for value in values {
            let name = value
                .as_str()
                .and_then(|text| text.strip_prefix('%')?.strip_suffix('%'));
            match name {
                None => expanded.push(value.clone()),
                Some(name) => {
                    let list = self.named.get(name);
                    expanded.extend_from_slice(list.ok_or_else(|| InvalidMatcher::List(name.to_owned()))?);
                }
            }
        }
        Ok(expanded)
    }

    /// Lists for tests.
    #[cfg(test)]
    pub(super) fn of<const N: usize>(lists: [(&str, Vec<&str>); N]) -> Self {
        let values = |values: Vec<&str>| values.into_iter().map(Json::from).collect();
        let named = lists
            .into_iter()
            .map(|(name, list)| (name.to_owned(), values(list)));
        Self {
            named: named.collect(),
            pseudonyms: None,
        }
    }
}
