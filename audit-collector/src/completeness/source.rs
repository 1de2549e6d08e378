//! What is known of one source. Pure.

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::{Class, Event, Source, action};
use shared::spool::{EventDigest, RunningHash};

use super::chain::Checked;
use super::notice::Notice;
use super::numbers::{Numbers, Seen, Stretch};

/// Stretches of altered numbers that are kept; of more, the number is.
const ALTERED_MAX: usize = 100;

/// Gaps of one source that are told each by itself when they are due at once; more are told together.
const GAPS_TOLD_MAX: usize = 16;

/// Heartbeats that may be missed.
const BEATS_MISSED_MAX: u64 = 3;

/// What is known of a source: one boot of one instance of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) numbers: Numbers,
    /// The first and the last moment of which it told.
    pub(super) first_time: UtcMicros,
    pub(super) last_time: UtcMicros,
    /// Events in the log.
    pub(super) events: u64,
    /// Numbers that dead letters filled.
    pub(super) dead_letters: u64,
    /// Events whose number was filled before.
    pub(super) reused: u64,
    /// Numbers of which some are not as the source hashed them.
    pub(super) altered: Vec<Stretch>,
    pub(super) altered_count: u64,
    /// Numbers that could not be checked.
    pub(super) unchecked: u64,
    /// Its last heartbeat.
    pub(super) beat: Option<Beat>,
    /// The number of its last event, once it said that nothing follows.
    pub(super) bye: Option<u64>,
    /// The collectors' beat in which it was last heard.
    pub(super) heard_in_beat: u64,
    pub(super) silence: Option<Silence>,
    /// Since the last statement.
    pub(super) recent: Recent,
}

/// What a source last said of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Beat {
    pub(super) number: u64,
    pub(super) time: UtcMicros,
    pub(super) running_hash: Option<RunningHash>,
}

/// A silence that was told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Silence {
    /// When the source last spoke.
    pub(super) since: UtcMicros,
    /// When it was taken for silent.
    pub(super) told_at: UtcMicros,
    /// Its last number then.
    pub(super) last: u64,
}

/// What came since the last statement.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Recent {
    pub(super) events: u64,
    pub(super) dead_letters: u64,
    pub(super) first: Option<u64>,
    pub(super) last: Option<u64>,
}

/// How a source stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It speaks.
    Live,
    /// It said that it ends.
    Ended,
    /// It fell silent without a word.
    Silent,
}

impl Standing {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ended => "ended",
            Self::Silent => "silent",
        }
    }
}

impl Record {
    /// Of a source of which nothing is known, and which is heard at `time`.
    pub(super) fn new(time: UtcMicros) -> Self {
        Self {
            numbers: Numbers::default(),
            first_time: time,
            last_time: time,
            events: 0,
            dead_letters: 0,
            reused: 0,
            altered: Vec::new(),
            altered_count: 0,
            unchecked: 0,
            beat: None,
            bye: None,
            heard_in_beat: 0,
            silence: None,
            recent: Recent::default(),
        }
    }

    /// Takes an event of the log, with the digest of what its source sent if that is known. Returns what is to be told, and
    /// whether its number was filled before.
    pub(super) fn take(
        &mut self,
        event: &Event,
        digest: Option<EventDigest>,
        seen_at: SeenAt,
    ) -> (Vec<Notice>, bool) {
        let declared = declaration(event);
        self.events += 1;
        self.recent.events += 1;
        let seen = Seen {
            number: event.seq,
            time: seen_at.time,
            recorded_at: seen_at.recorded_at,
            digest,
            declared,
        };
        let (mut notices, is_known) = self.note(&event.source, &seen);
        if event.facts.class == Class::System {
            match event.facts.action.as_str() {
                action::BYE => self.bye = self.bye.max(Some(event.seq)),
                action::HEARTBEAT if self.beat.as_ref().is_none_or(|beat| beat.number < event.seq) => {
                    self.beat = Some(Beat {
                        number: event.seq,
                        time: seen_at.time,
                        running_hash: declared,
                    });
                }
                _ => {}
            }
        }
        self.heard_in_beat = seen_at.beat;
        // What was left behind by a boot that is gone comes late and is no sign of life.
        if let Some(silence) = self.silence.take_if(|silence| seen_at.time > silence.told_at) {
            notices.push(Notice::Back {
                source: event.source.clone(),
                since: silence.since,
                last: silence.last,
                time: seen_at.time,
            });
        }
        (notices, is_known)
    }

    /// Takes a number that a dead letter fills.
    pub(super) fn take_dead(
        &mut self,
        source: &Source,
        number: u64,
        digest: EventDigest,
        received_at: UtcMicros,
    ) -> Vec<Notice> {
        self.dead_letters += 1;
        self.recent.dead_letters += 1;
        let seen = Seen {
            number,
            time: received_at,
            recorded_at: received_at,
            digest: Some(digest),
            declared: None,
        };
        self.note(source, &seen).0
    }

    fn note(&mut self, source: &Source, seen: &Seen) -> (Vec<Notice>, bool) {
        self.first_time = self.first_time.min(seen.time);
        self.last_time = self.last_time.max(seen.time);
        let recent = &mut self.recent;
        recent.first = Some(recent.first.map_or(seen.number, |first| first.min(seen.number)));
        recent.last = recent.last.max(Some(seen.number));
        let taken = self.numbers.take(seen);
        let mut notices = Vec::new();
        for checked in taken.checked {
            match checked {
                Checked::Altered(first, last) => {
                    tracing::error!(%source, first, last, "events are not as their source hashed them");
                    self.altered_count += 1;
                    if self.altered.len() < ALTERED_MAX {
                        self.altered.push(Stretch { first, last });
                    }
                }
                Checked::Never(numbers) => self.unchecked += numbers,
                Checked::Sound | Checked::Nothing => {}
            }
        }
        notices.extend(taken.closed.map(|numbers| Notice::GapClosed {
            source: source.clone(),
            numbers,
            time: seen.recorded_at,
        }));
        (notices, taken.is_known)
    }

    /// Takes it for silent if it missed too many beats, in the collectors' beat `beat` at `time`.
    pub(super) fn listen(&mut self, source: &Source, beat: u64, time: UtcMicros) -> Option<Notice> {
        let missed = beat.saturating_sub(self.heard_in_beat);
        if self.standing() != Standing::Live || missed <= BEATS_MISSED_MAX {
            return None;
        }
        let silence = Silence {
            since: self.last_time,
            told_at: time,
            last: self.numbers.last(),
        };
        self.silence = Some(silence.clone());
        Some(Notice::Silent {
            source: source.clone(),
            since: silence.since,
            last: silence.last,
            time,
        })
    }

    /// What is to be told of gaps that were noticed before.
    pub(super) fn tell_gaps(&mut self, source: &Source, noticed_before: UtcMicros) -> Vec<Notice> {
        let due: Vec<_> = self
            .numbers
            .gaps()
            .filter(|gap| gap.told.is_none() && gap.noticed_at <= noticed_before)
            .collect();
        let (Some(first), Some(last)) = (due.first(), due.last()) else {
            return Vec::new();
        };
        let all = Stretch {
            first: first.numbers.first,
            last: last.numbers.last,
        };
        let is_apart = due.len() <= GAPS_TOLD_MAX;
        self.numbers
            .tell(noticed_before, |own| if is_apart { own } else { all });
        let notice = |numbers, missing, gaps, noticed_at| Notice::Gap {
            source: source.clone(),
            numbers,
            missing,
            gaps,
            noticed_at,
        };
        if is_apart {
            return due
                .iter()
                .map(|gap| notice(gap.numbers, gap.missing, 1, gap.noticed_at))
                .collect();
        }
        let missing = due.iter().fold(0_u64, |sum, gap| sum.saturating_add(gap.missing));
        vec![notice(all, missing, due.len(), last.noticed_at)]
    }

    pub(super) fn standing(&self) -> Standing {
        match (&self.bye, &self.silence) {
            (Some(_), _) => Standing::Ended,
            (None, Some(_)) => Standing::Silent,
            (None, None) => Standing::Live,
        }
    }

    /// Whether nothing is missing, altered or numbered twice.
    pub(super) fn is_sound(&self) -> bool {
        self.numbers.gaps().next().is_none() && self.altered_count == 0 && self.reused == 0
    }

    /// Whether time alone may change what is to be told of it.
    pub(super) fn is_watched(&self) -> bool {
        self.standing() == Standing::Live
            || self.recent != Recent::default()
            || self.numbers.gaps().any(|gap| gap.told.is_none())
    }
}

/// When something was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct SeenAt {
    /// When it happened, as far as that can be believed.
    pub(super) time: UtcMicros,
    /// When it was stored.
    pub(super) recorded_at: UtcMicros,
    /// In which of the collectors' beats.
    pub(super) beat: u64,
}

/// The running hash that an event declares for all numbers before it.
fn declaration(event: &Event) -> Option<RunningHash> {
    let facts = &event.facts;
    let is_own = matches!(
        facts.action.as_str(),
        action::BOOT | action::HEARTBEAT | action::BYE
    );
    let detail = |name: &str| facts.detail.get(name);
    if facts.class != Class::System || !is_own || detail("last_seq")?.as_u64()? + 1 != event.seq {
        return None;
    }
    detail("running_hash")?.as_str()?.parse().ok()
}
