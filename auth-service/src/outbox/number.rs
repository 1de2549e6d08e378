//! Numbers events in the order in which their commits are seen. Pure: the same head and drafts give the same bytes.

use shared::clock::UtcMicros;
use shared::event::wire::{self, EncodeError};
use shared::event::{Draft, Source, action};
use shared::spool::{RunningHash, own_draft};
use shared::transport::{Message, Numbered};
use uuid::Uuid;

use super::INSTANCE;
use crate::SERVICE;

/// How far the outbox has been numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) boot: Uuid,
    pub(super) last_seq: u64,
    pub(super) running_hash: RunningHash,
}

impl Head {
    /// Gives `draft` the next number.
    pub(super) fn number(&mut self, draft: Draft) -> Result<Numbered, EncodeError> {
        let source = Source {
            service: SERVICE.to_owned(),
            instance: INSTANCE.to_owned(),
            boot: self.boot,
        };
        let event = draft.numbered(source, self.last_seq + 1);
        let body = wire::encode(&event)?;
        self.last_seq = event.seq;
        self.running_hash = self.running_hash.after(&body);
        Ok(Numbered {
            seq: event.seq,
            message: Message {
                routing_key: event.routing_key(),
                body: body.into(),
            },
        })
    }

    /// The first event of an outbox.
    pub(super) fn boot_draft(&self, now: UtcMicros) -> Draft {
        own_draft(action::BOOT, self.last_seq, self.running_hash, now)
    }

    /// The event that tells that the outbox is alive and how far it has come.
    pub(super) fn heartbeat_draft(&self, now: UtcMicros) -> Draft {
        own_draft(action::HEARTBEAT, self.last_seq, self.running_hash, now)
    }
}

#[cfg(test)]
mod tests {
    use shared::event::{Class, Facts, Outcome};

    use super::*;

    fn head() -> Head {
        Head {
            boot: Uuid::nil(),
            last_seq: 0,
            running_hash: RunningHash::default(),
        }
    }

    fn draft() -> Draft {
        let facts = Facts::new(Class::Auth, action::AUTHN_LOGOUT, Outcome::Success);
        Draft::new(UtcMicros::from_seconds(1_700_000_000), facts)
    }

    #[test]
    fn numbers_follow_each_other_and_the_source_is_the_database() {
        let mut head = head();

        let first = head.number(draft()).unwrap();
        let second = head.number(draft()).unwrap();

        assert_eq!([first.seq, second.seq], [1, 2]);
        let event = wire::decode(&second.message.body).unwrap();
        assert_eq!(
            event.source.to_string(),
            format!("/auth-service/outbox/{}", Uuid::nil())
        );
        assert_eq!(first.message.routing_key, "auth.authn_logout.success");
    }

    #[test]
    fn a_heartbeat_tells_the_number_and_the_hash_before_it() {
        let mut head = head();
        let first = head.number(draft()).unwrap();

        let beat = head.heartbeat_draft(UtcMicros::from_seconds(1_700_000_000));

        let expected = RunningHash::default().after(&first.message.body).to_string();
        assert_eq!(beat.facts.detail["last_seq"], 1);
        assert_eq!(beat.facts.detail["running_hash"], expected);
    }
}
