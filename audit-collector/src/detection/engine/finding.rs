//! What the engine finds: alerts before they are stored. Pure.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use shared::clock::UtcMicros;
use uuid::Uuid;

use super::habit::Memory;
use crate::detection::rule::Rule;

/// What makes an alert the one that it is: the rule, the group and the beginning of its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint(pub [u8; 16]);

impl Fingerprint {
    /// The fingerprint of an alert of `rule` on `group` in the period that begins at `window_start`.
    pub fn of(rule: &str, group: &[String], window_start: UtcMicros) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"gatelog alert 1");
        for part in std::iter::once(rule).chain(group.iter().map(String::as_str)) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        context.update(&window_start.as_micros().to_be_bytes());
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *byte = *hashed;
        }
        Self(bytes)
    }

    /// Reads its 32 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_plain = text.len() == 32
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_plain)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

/// An alert.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Which it is.
    pub fingerprint: Fingerprint,
    /// What found it.
    pub rule: Arc<Rule>,
    /// Whom or what it is about: the values of the rule's group.
    pub group: Vec<String>,
    /// The beginning of its period.
    pub window_start: UtcMicros,
    /// When the event happened that the rule fires with first.
    pub at: UtcMicros,
    /// When the first of the events happened that it stands on.
    pub since: UtcMicros,
    /// When the last event happened with which the rule fires.
    pub until: UtcMicros,
    /// The highest value of the rule's first measure.
    pub value: f64,
    /// The events that it stands on, the last of them if they are many.
    pub evidence: Vec<Uuid>,
}

impl Finding {
    /// When the last of the events happened that it stands on, as their ids say. A rule of volume fires at the beginning of the hour whose
    /// events it counts.
    pub(crate) fn last_at(&self) -> UtcMicros {
        last_of(self.at, &self.evidence)
    }
}

fn last_of(at: UtcMicros, evidence: &[Uuid]) -> UtcMicros {
    let told = evidence.iter().filter_map(|id| time_of(*id));
    told.fold(at, UtcMicros::max)
}

/// When an event with that id was made, if the id tells (RFC 9562 §5.7), to the millisecond.
fn time_of(id: Uuid) -> Option<UtcMicros> {
    if id.get_version_num() != 7 {
        return None;
    }
    let (seconds, nanos) = id.get_timestamp()?.to_unix();
    let micros = i64::try_from(seconds).ok()?.checked_mul(1_000_000)?;
    Some(UtcMicros::from_micros(
        micros.checked_add(i64::from(nanos / 1_000))?,
    ))
}

/// Moments whose events must be read again, because one of them came after they were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Late {
    /// The first.
    pub from: UtcMicros,
    /// The last.
    pub until: UtcMicros,
}

/// What a batch of events changed.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Alerts that are new or changed.
    pub raised: Vec<Finding>,
    /// Alerts that late events took the ground from.
    pub withdrawn: Vec<Fingerprint>,
    /// What must be judged again from the log.
    pub late: Option<Late>,
    /// Memories that changed.
    pub memories: Vec<(MemoryKey, Memory)>,
    /// Events of groups that had too many, and groups of rules that had too many.
    pub forgotten: BTreeMap<Arc<str>, u64>,
    /// Time that each rule took. It decides nothing.
    pub costs: BTreeMap<Arc<str>, Duration>,
}

/// Whose memory it is: a rule's id, and a group.
pub type MemoryKey = (Arc<str>, Vec<String>);

/// The alerts that stand after many batches.
pub type Ledger = BTreeMap<Fingerprint, Finding>;

impl Outcome {
    /// Notes that a rule took so long.
    pub(super) fn cost(&mut self, rule: &Rule, took: Duration) {
        *self.costs.entry(Arc::clone(&rule.id)).or_default() += took;
    }

    /// Puts what was found into an order that does not depend on how it was found.
    pub(super) fn sort(&mut self) {
        self.raised.sort_by(|one, other| {
            let key = |finding: &Finding| (Arc::clone(&finding.rule.id), finding.window_start);
            (key(one), &one.group).cmp(&(key(other), &other.group))
        });
        self.withdrawn.sort_unstable();
    }

    /// Enters it into a ledger.
    pub fn enter(self, ledger: &mut Ledger) {
        for fingerprint in self.withdrawn {
            ledger.remove(&fingerprint);
        }
        for finding in self.raised {
            ledger.insert(finding.fingerprint, finding);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_back_and_tells_its_parts_apart() {
        let at = UtcMicros::from_seconds(3_600);
        let fingerprint = Fingerprint::of("a", &["b".into(), "c".into()], at);

        assert_eq!(Fingerprint::parse(&fingerprint.to_string()), Some(fingerprint));
        for other in [
            Fingerprint::of("ab", &["c".into()], at),
            Fingerprint::of("a", &["bc".into()], at),
            Fingerprint::of("a", &["b".into(), "c".into()], UtcMicros::from_seconds(0)),
        ] {
            assert_ne!(other, fingerprint);
        }
        for wrong in ["", "+0000000000000000000000000000000", "g".repeat(32).as_str()] {
            assert_eq!(Fingerprint::parse(wrong), None);
        }
    }

    #[test]
    fn an_alert_is_as_old_as_the_last_event_whose_id_tells_its_time() {
        let at = UtcMicros::from_seconds(1_700_000_000);
        let made_at =
            |seconds: u64| uuid::Builder::from_unix_timestamp_millis(seconds * 1_000, &[7; 10]).into_uuid();
        let evidence = [
            made_at(1_700_000_600),
            Uuid::from_u128(u128::MAX),
            made_at(1_699_999_999),
        ];

        assert_eq!(last_of(at, &evidence), UtcMicros::from_seconds(1_700_000_600));
        assert_eq!(last_of(at, &evidence[1..]), at);
        assert_eq!(last_of(at, &[]), at);
    }
}
