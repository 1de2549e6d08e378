//! Lists of values that rules name as `%name%`, so that an operator adapts a rule without copying it. Pure.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::matcher::InvalidMatcher;

/// The file of the rules' folder that holds them.
pub(super) const FILE: &str = "lists.yaml";

/// The list whose only value is the `iss` of Gatelog's tokens.
pub(super) const ISSUER: &str = "issuer";

/// Its value in the tests of rules.
const TEST_ISSUER: &str = "https://auth.example";

/// Lists by their names.
#[derive(Clone, Debug, Default)]
pub struct Lists(BTreeMap<String, Vec<Json>>);

impl Lists {
    /// The lists of `text`, which is YAML: a name and its values on each line.
    pub(super) fn parse(text: &str) -> Result<Self, serde_saphyr::Error> {
        serde_saphyr::from_str(text).map(Self)
    }

    /// Those of `others` over these.
    pub(super) fn extend(&mut self, others: Self) {
        self.0.extend(others.0);
    }

    /// These lists as a test has them: empty but for its own, with the issuer that all tests have.
    pub(super) fn for_test(&self, own: &BTreeMap<String, Vec<Json>>) -> Self {
        let mut lists: BTreeMap<_, _> = self.0.keys().map(|name| (name.clone(), Vec::new())).collect();
        lists.insert(ISSUER.to_owned(), vec![TEST_ISSUER.into()]);
        lists.extend(own.clone());
        Self(lists)
    }

    /// One more list.
    pub(super) fn insert(&mut self, name: &str, values: Vec<Json>) {
        self.0.insert(name.to_owned(), values);
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
                    let list = self.0.get(name);
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
        Self(
            lists
                .into_iter()
                .map(|(name, list)| (name.to_owned(), values(list)))
                .collect(),
        )
    }
}
