//! The word to all: from one service to every process that listens. It may be lost, and is then said or asked for again; nothing
//! waits for it.

use bytes::Bytes;
use futures_util::stream::{self, Stream};

use super::in_process::{Bus, Heard};
use super::rabbit::{Broker, RabbitAnnouncer, RabbitListener};
use super::{ConsumeError, PublishError};
use crate::runtime::Backoff;

/// What is told to all, each by one service alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// What verifiers must refuse ([`crate::enforcement::Announcement`]).
    Enforcement,
    /// What the log lacks ([`super::Lacking`]).
    Lacking,
}

impl Word {
    /// Who says it. What anybody else says is passed over.
    pub const fn speaker(self) -> &'static str {
        match self {
            Self::Enforcement => "auth-service",
            Self::Lacking => "audit-collector",
        }
    }

    /// Its routing key.
    pub(super) const fn key(self) -> &'static str {
        match self {
            Self::Enforcement => "enforcement",
            Self::Lacking => "lacking",
        }
    }
}

/// Tells everybody.
#[derive(Debug)]
pub struct Announcer(Announcing);

#[derive(Debug)]
enum Announcing {
    Rabbit(Box<RabbitAnnouncer>),
    InProcess { bus: Bus, word: Word },
}

impl Announcer {
    pub(super) fn rabbit(broker: Broker, word: Word) -> Self {
        Self(Announcing::Rabbit(Box::new(RabbitAnnouncer::new(broker, word))))
    }

    pub(super) const fn in_process(bus: Bus, word: Word) -> Self {
        Self(Announcing::InProcess { bus, word })
    }

    /// Tells everybody who listens now. Nobody may.
    pub async fn announce(&mut self, body: Vec<u8>) -> Result<(), PublishError> {
        match &mut self.0 {
            Announcing::Rabbit(announcer) => announcer.announce(&body).await,
            Announcing::InProcess { bus, word } => {
                bus.announce(Bytes::from(body), *word);
                Ok(())
            }
        }
    }
}

/// Hears what is told to all.
#[derive(Debug)]
pub struct Listener {
    word: Word,
    listening: Listening,
}

#[derive(Debug)]
enum Listening {
    Rabbit(Box<RabbitListener>),
    InProcess(tokio::sync::broadcast::Receiver<Heard>),
}

impl Listener {
    pub(super) fn rabbit(broker: Broker, word: Word) -> Self {
        Self {
            word,
            listening: Listening::Rabbit(Box::new(RabbitListener::new(broker, word))),
        }
    }

    pub(super) fn in_process(bus: &Bus, word: Word) -> Self {
        Self {
            word,
            listening: Listening::InProcess(bus.listen()),
        }
    }

    /// Waits for the next word of who may say it. After an error the next call connects again.
    pub async fn hear(&mut self) -> Result<Bytes, ConsumeError> {
        loop {
            let heard = match &mut self.listening {
                Listening::Rabbit(listener) => listener.hear().await?,
                Listening::InProcess(receiver) => match receiver.recv().await {
                    Ok(heard) if heard.word == self.word => heard,
                    Ok(_) | Err(tokio::sync::broadcast::error::RecvError::Lagged(_)) => continue,
                    Err(tokio::sync::broadcast::error::RecvError::Closed) => {
                        return Err(ConsumeError::Cancelled);
                    }
                },
            };
            if heard.publisher.as_deref() == Some(self.word.speaker()) {
                return Ok(heard.body);
            }
            tracing::warn!(
                publisher = heard.publisher,
                "a word to all came from somebody who has none to say"
            );
        }
    }

    /// What is told, for ever; after a failure it is connected anew, less and less often.
    pub fn words(self) -> impl Stream<Item = Result<Bytes, ConsumeError>> + Send {
        let begin = (self, Backoff::default(), false);
        stream::unfold(begin, async |(mut listener, mut backoff, failed)| {
            if failed {
                backoff.wait().await;
            }
            let word = listener.hear().await;
            let failed = word.is_err();
            if !failed {
                backoff.reset();
            }
            Some((word, (listener, backoff, failed)))
        })
    }
}
