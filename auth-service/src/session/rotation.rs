//! What a presented refresh token means for its session. Pure: the session's row and the time are arguments.

use std::time::Duration;

use shared::clock::UtcMicros;

/// How long the token just replaced still gets its successor: two tabs, or an answer that was lost.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// A session that is not used for so long ends.
pub(super) const IDLE_MAX: Duration = Duration::from_hours(7 * 24);

/// A session ends after so long, however it is used.
pub(crate) const ABSOLUTE_MAX: Duration = Duration::from_hours(30 * 24);

/// The parts of a session that decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct State {
    /// The counter of the live token.
    pub(super) counter: u64,
    /// When that token was first given out.
    pub(super) rotated_at: UtcMicros,
    /// When the user signed in.
    pub(super) authenticated_at: UtcMicros,
    /// Whether it was ended.
    pub(super) is_ended: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The live token: give out the next one.
    Rotate,
    /// The one just replaced: give out the live one again.
    Repeat,
    /// An older one: someone else has it. The session ends.
    Reuse(ReuseCause),
    /// One that was never given out by this database: it was restored from a backup.
    FromTheFuture,
    /// The session was ended before.
    Ended,
    /// The session was not used for too long, or is too old.
    Expired,
}

/// How a token that was replaced may have come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ReuseCause {
    /// The same client presents an older one while it goes on with the live one: two of its parts keep tokens of their own.
    Concurrent,
    /// The same client presents the one before the live one: it seems never to have got the answer.
    LostResponse,
    /// Anything else, such as a stolen token.
    Replay,
}

impl ReuseCause {
    /// The stable word in events.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Concurrent => "concurrent",
            Self::LostResponse => "lost_response",
            Self::Replay => "replay",
        }
    }
}

/// Decides on the token with the counter `presented`; `is_same_client` tells whether address and user agent are those of
/// the last refresh.
pub(super) fn judge(state: &State, presented: u64, is_same_client: bool, now: UtcMicros) -> Verdict {
    if state.is_ended {
        return Verdict::Ended;
    }
    if presented > state.counter {
        return Verdict::FromTheFuture;
    }
    let is_expired =
        now.since(state.rotated_at) > IDLE_MAX || now.since(state.authenticated_at) > ABSOLUTE_MAX;
    if is_expired {
        return Verdict::Expired;
    }
    if presented == state.counter {
        return Verdict::Rotate;
    }
    let is_former = presented.checked_add(1) == Some(state.counter);
    let is_recent = now.since(state.rotated_at) <= GRACE;
    match (is_former, is_recent, is_same_client) {
        (true, true, _) => Verdict::Repeat,
        (true, false, true) => Verdict::Reuse(ReuseCause::LostResponse),
        (false, true, true) => Verdict::Reuse(ReuseCause::Concurrent),
        (_, _, false) | (false, false, _) => Verdict::Reuse(ReuseCause::Replay),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const START: UtcMicros = UtcMicros::from_seconds(1_700_000_000);

    fn state(counter: u64) -> State {
        State {
            counter,
            rotated_at: START,
            authenticated_at: START,
            is_ended: false,
        }
    }

    fn at(seconds: u64) -> UtcMicros {
        START.plus(Duration::from_secs(seconds))
    }

    #[test]
    fn the_live_token_rotates_until_the_session_is_idle_for_too_long() {
        let week = IDLE_MAX.as_secs();

        assert_eq!(judge(&state(5), 5, true, at(0)), Verdict::Rotate);
        assert_eq!(judge(&state(5), 5, true, at(week)), Verdict::Rotate);
        assert_eq!(judge(&state(5), 5, true, at(week + 1)), Verdict::Expired);
    }

    #[test]
    fn a_session_ends_after_thirty_days_however_it_is_used() {
        let month = ABSOLUTE_MAX.as_secs();
        let used = |second| State {
            rotated_at: at(second),
            ..state(5)
        };

        assert_eq!(judge(&used(month), 5, true, at(month)), Verdict::Rotate);
        assert_eq!(judge(&used(month), 5, true, at(month + 1)), Verdict::Expired);
    }

    #[test]
    fn the_token_just_replaced_is_repeated_within_the_grace_and_reused_after_it() {
        assert_eq!(judge(&state(5), 4, false, at(10)), Verdict::Repeat);
        let after = START.plus(GRACE).plus(Duration::from_micros(1));
        assert_eq!(
            judge(&state(5), 4, true, after),
            Verdict::Reuse(ReuseCause::LostResponse)
        );
        assert_eq!(
            judge(&state(5), 4, false, after),
            Verdict::Reuse(ReuseCause::Replay)
        );
    }

    #[test]
    fn an_older_token_is_reused_even_within_the_grace() {
        let cause = |is_same_client, seconds| judge(&state(5), 3, is_same_client, at(seconds));

        assert_eq!(cause(true, 10), Verdict::Reuse(ReuseCause::Concurrent));
        assert_eq!(cause(true, 11), Verdict::Reuse(ReuseCause::Replay));
        assert_eq!(cause(false, 10), Verdict::Reuse(ReuseCause::Replay));
    }

    #[test]
    fn a_counter_that_was_never_given_out_tells_of_a_restored_database() {
        assert_eq!(judge(&state(5), 6, true, at(0)), Verdict::FromTheFuture);
    }

    #[test]
    fn an_ended_session_stays_ended_whatever_is_presented() {
        let ended = State {
            is_ended: true,
            ..state(5)
        };
        for presented in [0, 4, 5, 6] {
            assert_eq!(judge(&ended, presented, true, at(0)), Verdict::Ended);
        }
    }

    proptest! {
        #[test]
        fn only_the_live_token_ever_moves_a_session_on(
            counter in 1_u64..,
            presented: u64,
            same: bool,
            seconds in 0_u64..4_000_000,
        ) {
            let verdict = judge(&state(counter), presented, same, at(seconds));

            if verdict == Verdict::Rotate {
                prop_assert_eq!(presented, counter);
            }
            if verdict == Verdict::Repeat {
                prop_assert_eq!(presented + 1, counter);
                prop_assert!(seconds <= GRACE.as_secs());
            }
        }
    }
}
