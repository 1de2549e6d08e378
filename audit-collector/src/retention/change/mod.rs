//! What one person asks for and another one must confirm: keeping events for a shorter time, and releasing a hold.

pub(super) mod handler;
pub(super) mod store;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use shared::clock::UtcMicros;
use shared::event::{Actor, Class, event_id};
use uuid::Uuid;

use super::Keeping;

/// How long a change may be confirmed.
const OPEN_FOR: Duration = Duration::from_hours(7 * 24);

/// What is to be changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Wish {
    /// To keep the events of a class for fewer days.
    Shorten {
        /// The class.
        class: Class,
        /// The days in force when it was asked for.
        from_days: u32,
        /// The days to come.
        to_days: u32,
    },
    /// To release a hold.
    Release {
        /// The hold.
        hold: Uuid,
        /// Its name.
        name: String,
    },
}

/// A change that is asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Change {
    /// Its id.
    pub(super) id: Uuid,
    /// What is to be changed.
    #[serde(flatten)]
    pub(super) wish: Wish,
    /// Why.
    pub(super) reason: String,
    /// Who asks: a subject, `settings`, or `command_line`.
    pub(super) requested_by: String,
    /// When.
    pub(super) requested_at: UtcMicros,
}

/// Why somebody may not confirm a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unconfirmed {
    /// It is their own.
    #[error("who asked for a change does not confirm it; somebody else must")]
    OwnChange,
    /// They are no person.
    #[error("a person must confirm this, not a client for itself")]
    NoPerson,
    /// Too long ago.
    #[error("it was asked for more than seven days ago; ask again")]
    TooOld,
}

impl Change {
    /// What the settings ask for where more days are in force.
    pub(super) fn of_settings(configured: Keeping, from_days: u32, now: UtcMicros) -> Self {
        Self {
            id: event_id(now),
            wish: Wish::Shorten {
                class: configured.class,
                from_days,
                to_days: configured.days,
            },
            reason: "the settings ask for it".to_owned(),
            requested_by: "settings".to_owned(),
            requested_at: now,
        }
    }

    /// Whether `actor` may confirm it at `now`: a user, and another one than who asked.
    pub(super) fn confirmable_by(&self, actor: &Actor, now: UtcMicros) -> Result<(), Unconfirmed> {
        let is_person = actor.username.is_some() && actor.sub.is_some() && actor.sub != actor.client_id;
        if !is_person {
            return Err(Unconfirmed::NoPerson);
        }
        if actor.sub.as_deref() == Some(&self.requested_by) {
            return Err(Unconfirmed::OwnChange);
        }
        if self.has_lapsed(now) {
            return Err(Unconfirmed::TooOld);
        }
        Ok(())
    }

    /// Whether it cannot be confirmed any more.
    pub(super) fn has_lapsed(&self, now: UtcMicros) -> bool {
        now > self.requested_at.plus(OPEN_FOR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMicros = UtcMicros::from_seconds(1_768_435_200);

    fn actor(sub: &str, username: Option<&str>) -> Actor {
        Actor {
            sub: Some(sub.into()),
            username: username.map(str::to_owned),
            client_id: Some("gatelog".into()),
            ..Actor::default()
        }
    }

    #[test]
    fn another_person_confirms_within_seven_days() {
        let change = Change {
            id: Uuid::nil(),
            wish: Wish::Release {
                hold: Uuid::nil(),
                name: "case 7".into(),
            },
            reason: "closed".into(),
            requested_by: "usr_1".into(),
            requested_at: NOW,
        };

        assert_eq!(change.confirmable_by(&actor("usr_2", Some("bob")), NOW), Ok(()));
        assert_eq!(
            change.confirmable_by(&actor("usr_1", Some("alice")), NOW),
            Err(Unconfirmed::OwnChange)
        );
        assert_eq!(
            change.confirmable_by(&actor("gatelog", None), NOW),
            Err(Unconfirmed::NoPerson)
        );
        assert_eq!(
            change.confirmable_by(&Actor::default(), NOW),
            Err(Unconfirmed::NoPerson)
        );
        let late = NOW.plus(OPEN_FOR).plus(Duration::from_secs(1));
        assert_eq!(
            change.confirmable_by(&actor("usr_2", Some("bob")), late),
            Err(Unconfirmed::TooOld)
        );
    }
}
