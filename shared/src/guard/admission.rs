//! Which token is let in, by what the guard knows now.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use super::Guard;
use crate::clock::UtcMicros;
use crate::event::TokenFacts;
use crate::token::{AudienceRule, Authentic, Objection, Refusal, Rejection, Verified};

/// What becomes of a good token while revocations were not heard of for too long.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IfBlind {
    /// It is refused: it may be revoked.
    #[default]
    Refuse,
    /// It is let in unless what was heard before revokes it. While nothing was heard at all it is refused, so that a restart
    /// does not forget what was revoked.
    Admit,
}

/// A token that was let in. Clones share it.
#[derive(Clone, Debug)]
pub struct Admitted {
    token: Arc<Authentic>,
    audience: AudienceRule,
    /// How old its issuer's keys are, if they should have been asked for again and were not.
    pub stale_keys_age: Option<Duration>,
    /// Whether revocations were not heard of for too long.
    pub is_blind: bool,
}

impl Deref for Admitted {
    type Target = Verified;

    fn deref(&self) -> &Verified {
        self.token.verified()
    }
}

impl Guard {
    /// Accepts or refuses a token; see [`crate::token::verify`]. Refuses everything while it is blind.
    pub fn admit(&self, token: &str, audience: AudienceRule) -> Result<Admitted, Box<Rejection>> {
        self.admit_on(token, audience, IfBlind::Refuse)
    }

    /// As [`Self::admit`], with a choice for when it is blind.
    pub fn admit_on(
        &self,
        token: &str,
        audience: AudienceRule,
        if_blind: IfBlind,
    ) -> Result<Admitted, Box<Rejection>> {
        let now = self.clock.now();
        let trust = self.trust.load();
        let (token, unknown) = match self.tokens.recall(token, &trust, now) {
            Ok(known) => (known, None),
            Err(unknown) => {
                let authentic = Authentic::of(token, &trust, now);
                let authentic = authentic.map_err(|rejection| self.undecided(rejection, now))?;
                (Arc::new(authentic), Some(unknown))
            }
        };
        token
            .accept(audience, &self.revoked.load(), now)
            .map_err(|objection| token.rejection(objection, now))?;
        let is_blind = self.is_blind_at(now);
        if is_blind && (if_blind == IfBlind::Refuse || !self.has_heard()) {
            return Err(token.rejection(Refusal::RevocationsUnknown.into(), now));
        }
        if let Some(unknown) = unknown {
            self.tokens.remember(&unknown, &token);
        }
        let issuer = trust.issuer(&token.verified().iss);
        Ok(Admitted {
            audience,
            stale_keys_age: issuer.and_then(|issuer| issuer.stale_keys_age(now)),
            is_blind,
            token,
        })
    }

    /// As [`Self::admit_on`], but waits, for a second at most, for the issuer's word on a key that is not known here.
    pub async fn admit_patiently(
        &self,
        token: &str,
        audience: AudienceRule,
        if_blind: IfBlind,
    ) -> Result<Admitted, Box<Rejection>> {
        match self.admit_on(token, audience, if_blind) {
            Err(rejection) if Box::pin(self.word_on_key(rejection.refusal, &rejection.token)).await => {
                self.admit_on(token, audience, if_blind)
            }
            decided => decided,
        }
    }

    /// Waits, for a second at most, for the issuer's word on the key of a token that was refused for want of it; whether there
    /// was anything to wait for, so that the token is to be decided on again.
    pub async fn word_on_key(&self, refusal: Refusal, token: &TokenFacts) -> bool {
        if refusal != Refusal::KeysUnavailable {
            return false;
        }
        let sources = self.key_sources.load_full();
        let source = token.iss.as_ref().and_then(|iss| sources.get(iss));
        match (source, &token.kid) {
            (Some(source), Some(kid)) => source.word_on(kid).await,
            _ => false,
        }
    }

    /// A key that is not known here may be a new one, which only its issuer can tell: while it is asked, or cannot be, the token
    /// is neither good nor bad. Which issuer is asked, and how often, is not the token's to say.
    fn undecided(&self, mut rejection: Box<Rejection>, now: UtcMicros) -> Box<Rejection> {
        if rejection.refusal == Refusal::KeyUnknown {
            let sources = self.key_sources.load();
            let source = rejection.token.iss.as_ref().and_then(|iss| sources.get(iss));
            if source.is_some_and(|source| source.is_undecided(rejection.token.kid.as_deref(), now)) {
                rejection.refusal = Refusal::KeysUnavailable;
            }
        }
        rejection
    }

    /// Why a token that was let in would be refused now; `None` if it would not, or if that cannot be told at the moment.
    pub fn objection(&self, admitted: &Admitted) -> Option<Objection> {
        let (trust, revoked) = (self.trust.load(), self.revoked.load());
        let now = self.clock.now();
        admitted.token.objection(&trust, admitted.audience, &revoked, now)
    }
}
