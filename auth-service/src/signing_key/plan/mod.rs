//! When which key signs. Pure: the keys' times and the present moment are arguments.
//!
//! A key is published long before it signs and long after, so that no verifier is ever without it. The next key is always
//! there already: an emergency has a key that all the world knows.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::token::Algorithm;

use crate::settings::ACCESS_TOKEN_SECONDS_MAX;

/// How long verifiers may keep a key set (`max-age`), as the answer says.
pub(super) const CACHEABLE: Duration = Duration::from_mins(5);

/// A replica that has not read the keys for so long signs nothing.
pub(super) const STALE_MAX: Duration = Duration::from_mins(5);

/// The least time between two moments: of two keys the later one signs.
const TICK: Duration = Duration::from_micros(1);

/// Added for clocks that differ.
pub(super) const MARGIN: Duration = Duration::from_mins(1);

/// How long a key is published before it signs: a replica may answer with the former set for [`STALE_MAX`], a cache may keep
/// that for [`CACHEABLE`], and a verifier may ask its cache as late as that again.
pub(super) const PUBLISHED_BEFORE: Duration =
    Duration::from_secs(STALE_MAX.as_secs() + 2 * CACHEABLE.as_secs() + MARGIN.as_secs());

/// How long a key is published after it signed: a replica may not have heard for [`STALE_MAX`] that another signs, and what
/// it signed lives for its time.
pub(super) const PUBLISHED_AFTER: Duration =
    Duration::from_secs(STALE_MAX.as_secs() + ACCESS_TOKEN_SECONDS_MAX as u64 + MARGIN.as_secs());

/// A key as far as plans go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KeyTimes {
    pub(super) kid: String,
    pub(super) algorithm: Algorithm,
    pub(super) created_at: UtcMicros,
    /// From when on it signs; nothing while it waits for a command.
    pub(super) signs_from: Option<UtcMicros>,
    pub(super) revoked_at: Option<UtcMicros>,
    /// Whether its private half is still kept.
    pub(super) has_private: bool,
}

/// What keys are to be like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    pub(super) algorithm: Algorithm,
    /// How long a key signs; nothing for as long as nobody commands otherwise.
    pub(super) rotation: Option<Duration>,
}

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Published, so that verifiers know it when it signs.
    PrePublished,
    /// The one that signs.
    Active,
    /// Signs no more; what it signed may live.
    Retiring,
    /// Nothing that it signed lives.
    Retired,
    /// Taken out of service before its time; nothing that it signed is valid.
    Revoked,
}

impl State {
    /// The stable word in answers and events.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::PrePublished => "pre_published",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    /// Whether verifiers get it.
    pub(super) const fn is_published(self) -> bool {
        matches!(self, Self::PrePublished | Self::Active | Self::Retiring)
    }
}

/// A change to make.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Make a key that signs from then on.
    Make { signs_from: Option<UtcMicros> },
    /// Let a key sign from then on.
    Schedule {
        kid: String,
        signs_from: Option<UtcMicros>,
    },
    /// Delete a key that never signed.
    Discard { kid: String },
    /// Forget the private half of a key that signs no more.
    Forget { kid: String },
}

/// The state of `key`, one of `keys`, at `now`.
pub(super) fn state(key: &KeyTimes, keys: &[KeyTimes], now: UtcMicros) -> State {
    // Whatever the clock says: one that was put back must not bring a revoked key back.
    if key.revoked_at.is_some() {
        return State::Revoked;
    }
    let Some(signs_from) = key.signs_from.filter(|from| *from <= now) else {
        return State::PrePublished;
    };
    let until = keys
        .iter()
        .filter_map(|other| other.signs_from)
        .filter(|from| *from > signs_from && *from <= now)
        .min();
    match until {
        None => State::Active,
        Some(until) if now < until.plus(PUBLISHED_AFTER) => State::Retiring,
        Some(_) => State::Retired,
    }
}

/// What is to be done at `now`. Done once, it is nothing until time has passed or the rules have changed.
pub(super) fn plan(keys: &[KeyTimes], now: UtcMicros, rules: &Rules) -> Vec<Step> {
    let is = |wanted: State| keys.iter().filter(move |key| state(key, keys, now) == wanted);
    let mut steps: Vec<_> = keys
        .iter()
        .filter(|key| key.has_private)
        .filter(|key| matches!(state(key, keys, now), State::Retired | State::Revoked))
        .map(|key| Step::Forget { kid: key.kid.clone() })
        .collect();
    let (fitting, others): (Vec<_>, Vec<_>) =
        is(State::PrePublished).partition(|key| key.algorithm == rules.algorithm);
    let next = fitting.first();
    let Some(active) = is(State::Active).next() else {
        // The first start, or the active key was revoked. Any key that verifiers know is better than one that they do not.
        let known = is(State::PrePublished).min_by_key(|key| key.created_at);
        // Not from now on, but from a little before: a replica whose clock is behind has to find a key as well.
        let former = keys
            .iter()
            .filter_map(|key| key.signs_from)
            .filter(|from| *from <= now);
        let little_before = |from: UtcMicros| from.plus(TICK).max(now.minus(MARGIN)).min(now);
        let signs_from = Some(former.max().map_or(now, little_before));
        steps.push(match known {
            Some(known) => Step::Schedule {
                kid: known.kid.clone(),
                signs_from,
            },
            None => Step::Make { signs_from },
        });
        return steps;
    };
    // One that is about to sign does: a replica that has not heard of its end would sign with it nevertheless.
    let far = now.plus(STALE_MAX).plus(MARGIN);
    let is_far = |key: &&&KeyTimes| key.signs_from.is_none_or(|from| from > far);
    steps.extend(
        others
            .iter()
            .filter(is_far)
            .map(|key| Step::Discard { kid: key.kid.clone() }),
    );
    let since = active.signs_from.unwrap_or(now);
    match next {
        None => steps.push(Step::Make {
            signs_from: due(active, since, now, rules, now),
        }),
        Some(next) => {
            let signs_from = due(active, since, now, rules, next.created_at);
            // A time that a command has set, which is before the planned one, stays.
            let is_sooner = next
                .signs_from
                .is_some_and(|set| signs_from.is_none_or(|planned| set <= planned));
            if next.signs_from != signs_from && !is_sooner {
                steps.push(Step::Schedule {
                    kid: next.kid.clone(),
                    signs_from,
                });
            }
        }
    }
    steps
}

/// When the key that was made at `created_at` follows on `active`.
fn due(
    active: &KeyTimes,
    since: UtcMicros,
    now: UtcMicros,
    rules: &Rules,
    created_at: UtcMicros,
) -> Option<UtcMicros> {
    let soonest = created_at.plus(PUBLISHED_BEFORE).max(now);
    if active.algorithm != rules.algorithm {
        return Some(soonest);
    }
    rules.rotation.map(|rotation| since.plus(rotation).max(soonest))
}

/// When a command to rotate lets the next key sign.
pub(super) fn rotation_at(keys: &[KeyTimes], now: UtcMicros) -> Option<(String, UtcMicros)> {
    let next = keys
        .iter()
        .find(|key| state(key, keys, now) == State::PrePublished)?;
    Some((next.kid.clone(), next.created_at.plus(PUBLISHED_BEFORE).max(now)))
}

#[cfg(test)]
mod tests;
