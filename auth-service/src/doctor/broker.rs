//! The broker: whether it lets us in, what is there under our names, and whether our user may more than it needs.

use shared::topology::Topology;
use shared::transport::{Part, PartState, Transport};

use super::finding::Finding;
use crate::settings::Settings;

/// What exists on the broker, and what our user may do with it.
pub(super) async fn examine(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "broker";
    let Transport::Rabbit(broker) = &settings.transport else {
        return vec![Finding::good(CHECK, "none is needed")];
    };
    match broker.look().await {
        Ok(parts) => {
            let lets_in = format!("lets {} in", broker.url.user());
            let mut findings = vec![Finding::good(CHECK, lets_in)];
            findings.extend(parts.iter().map(|part| judge(part, &broker.topology)));
            findings
        }
        Err(error) => {
            let mend = "see that it runs, and that user, password and virtual host are those of broker_url";
            vec![Finding::wrong(CHECK, error.to_string(), mend)]
        }
    }
}

/// Judges one part. The control exchange is auth-service's own; the others are the collector's, and a user that could declare
/// them could delete them.
fn judge(part: &Part, topology: &Topology) -> Finding {
    let kind = if part.messages.is_some() {
        "queue"
    } else {
        "exchange"
    };
    let check = format!("{kind} {}", part.name);
    let is_own = part.name == topology.control_exchange();
    let is_dead = part.name == topology.dead();
    let waiting = part.messages.unwrap_or_default();
    match part.state {
        PartState::Missing if is_own => {
            Finding::warning(check, "is not there", "auth-service declares it when it runs")
        }
        PartState::Missing => {
            Finding::wrong(check, "is not there", "start audit-collector, which declares it")
        }
        PartState::Different => Finding::wrong(
            check,
            "was declared otherwise than this version does",
            "drain it, delete it, and start the service that declares it",
        ),
        PartState::Foreign if is_own => Finding::wrong(
            check,
            "this user may not declare it",
            "give the user the permissions that deploy/rabbitmq/definitions prints",
        ),
        PartState::Own if !is_own => Finding::warning(
            check,
            "this user could declare and delete it, which auth-service never needs",
            "give the user the permissions that deploy/rabbitmq/definitions prints",
        ),
        PartState::Foreign | PartState::Own if is_dead && waiting > 0 => Finding::warning(
            check,
            format!("{waiting} deliveries were given up"),
            "see why collectors died on them: their logs; a running collector takes them one at a time, as events or as dead letters",
        ),
        PartState::Foreign | PartState::Own if part.messages.is_some() => {
            Finding::good(check, format!("is there; {waiting} messages wait"))
        }
        PartState::Foreign | PartState::Own => Finding::good(check, "is there"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Verdict;
    use super::*;

    #[test]
    fn our_own_exchange_must_be_ours_and_the_collector_s_must_not() {
        use PartState::{Different, Foreign, Missing, Own};
        use Verdict::{Good, Warning, Wrong};
        for (name, messages, state, verdict) in [
            ("g.control", None, Own, Good),
            ("g.control", None, Missing, Warning),
            ("g.control", None, Foreign, Wrong),
            ("g.control", None, Different, Wrong),
            ("g.events", None, Foreign, Good),
            ("g.events", None, Own, Warning),
            ("g.events", None, Missing, Wrong),
            ("g.collector", Some(7), Foreign, Good),
            ("g.collector", Some(0), Different, Wrong),
            ("g.dead", Some(0), Foreign, Good),
            ("g.dead", Some(1), Foreign, Warning),
        ] {
            let part = Part {
                name: name.to_owned(),
                messages,
                state,
            };
            assert_eq!(
                judge(&part, &Topology::new("g").unwrap()).verdict,
                verdict,
                "{part:?}"
            );
        }
    }
}
