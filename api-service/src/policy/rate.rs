//! Reads the limits of a policy file.

use super::Allow;
use super::file::{RateTable, RefusalTable};
use crate::rate_limit::{Quota, QuotaError, RateRule};

/// How often an address may be refused for want of a good token, unless the file says otherwise: more than people behind one
/// address whose tokens have expired come to, and too few for guessing.
const REFUSALS: &str = "300/min";

/// The limits on the route named `route`, and what is wrong with them.
pub(super) fn rules(route: &str, tables: &[RateTable]) -> (Vec<RateRule>, Vec<String>) {
    let (mut rules, mut problems) = (Vec::new(), Vec::new());
    for table in tables {
        match Quota::parse(&table.limit, table.burst) {
            Ok(quota) => {
                let rule = RateRule::on(route, table.per, quota);
                if rules.iter().any(|known: &RateRule| known.name == rule.name) {
                    problems.push(format!("`rate` says {} twice", rule.name));
                }
                rules.push(rule);
            }
            Err(error) => problems.push(format!("`rate` per {}: {error}", table.per)),
        }
    }
    (rules, problems)
}

/// The limit on refusals of one address.
pub(super) fn refusals(table: Option<&RefusalTable>) -> Result<RateRule, QuotaError> {
    let (limit, burst) = match table {
        None => (REFUSALS, None),
        Some(table) => (table.limit.as_str(), table.burst),
    };
    Quota::parse(limit, burst).map(RateRule::on_refusals)
}

/// What should be known of limits by who calls on a route that lets in strangers: they are not counted.
pub(super) fn warning(allow: &Allow, rules: &[RateRule]) -> Option<String> {
    let idle = rules.iter().find(|rule| rule.per.needs_caller())?;
    allow.is_public().then(|| {
        format!(
            "strangers pass without a token, whom the limit per {} does not count",
            idle.per
        )
    })
}
