//! What the event of a request would say, as far as its head decides it.

use shared::clock::UtcMicros;
use shared::event::{Class, Facts, HttpFacts, Outcome, PolicyFacts, action};

use super::explain::Question;
use crate::gate::{Denied, Entrance, Granted};

/// One line of JSON. The door adds when, where from, how long and how much; of a request that is let in, the status too.
pub(super) fn recorded(
    question: &Question,
    entrance: Entrance,
    decision: &Result<Granted, Box<Denied>>,
    now: UtcMicros,
) -> String {
    let mut facts = Facts::new(Class::Access, action::API_REQUEST, Outcome::Granted);
    let (route, status) = match decision {
        Ok(granted) => {
            if let Some(caller) = &granted.caller {
                facts.actor = caller.actor();
                facts.token = Some(caller.facts(now));
            }
            (Some(&granted.route), None)
        }
        Err(denied) => {
            let problem = denied.cause.problem();
            facts.outcome = denied.outcome();
            facts.reason = Some(problem.code.to_owned());
            facts.actor = denied.actor.clone();
            facts.token.clone_from(&denied.token);
            (denied.route.as_ref(), Some(problem.status.as_u16()))
        }
    };
    facts.http = Some(HttpFacts {
        method: question.method.to_string(),
        host: question.host.clone(),
        route: route.map(|route| route.template.clone()),
        path: question.path.clone(),
        status,
        ..HttpFacts::default()
    });
    facts.policy = Some(PolicyFacts {
        route: route.map(|route| route.name.clone()),
        rule: route.map(|route| route.rule.clone()),
        door: entrance.door(),
    });
    serde_json::to_string(&facts).unwrap_or_default()
}
