//! What an event said before it was given pseudonyms. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::SHA256_OUTPUT_LEN;
use shared::spool::{EventDigest, event_digest};

/// What an event said before it was given pseudonyms, as far as it is needed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Original {
    /// The digest of the bytes that its source sent.
    pub digest: EventDigest,
    /// What the pseudonyms in it stand for.
    replaced: BTreeMap<String, String>,
}

impl Original {
    pub(super) const fn new(digest: EventDigest, replaced: BTreeMap<String, String>) -> Self {
        Self { digest, replaced }
    }

    /// What `pseudonym` stands for.
    pub fn behind(&self, pseudonym: &str) -> Option<&str> {
        self.replaced.get(pseudonym).map(String::as_str)
    }

    /// What each pseudonym stands for.
    pub(super) const fn replaced(&self) -> &BTreeMap<String, String> {
        &self.replaced
    }

    /// As it is sealed: the digest, and JSON.
    pub(super) fn encoded(&self) -> Vec<u8> {
        let mut bytes = self.digest.to_vec();
        // Texts by texts can always be written.
        bytes.extend(serde_json::to_vec(&self.replaced).unwrap_or_default());
        bytes
    }

    /// What was sealed.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (digest, replaced) = bytes.split_first_chunk::<SHA256_OUTPUT_LEN>()?;
        Some(Self {
            digest: *digest,
            replaced: serde_json::from_slice(replaced).ok()?,
        })
    }
}

/// What is known here of what an event said before it was stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Unsealed {
    /// The same as now: it has no pseudonyms.
    #[default]
    AsItIs,
    /// This.
    Known(Arc<Original>),
    /// Nothing: it was sealed by a key that is not here.
    Closed,
    /// Nothing: what is kept of it, or what was sealed, was changed since.
    Broken,
}

impl Unsealed {
    /// The digest of the bytes that its source sent, if it is known; they are `body` if it has no pseudonyms. What was changed has
    /// another one than they had.
    pub(crate) fn digest(&self, body: &[u8]) -> Option<EventDigest> {
        match self {
            Self::AsItIs | Self::Broken => Some(event_digest(body)),
            Self::Known(original) => Some(original.digest),
            Self::Closed => None,
        }
    }

    /// What a text of the event stands for, which may be itself.
    pub(crate) fn behind<'t>(&'t self, text: &'t str) -> Option<&'t str> {
        match self {
            Self::AsItIs => Some(text),
            Self::Known(original) => Some(original.behind(text).unwrap_or(text)),
            Self::Closed | Self::Broken => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_pseudonym_stands_for_itself_where_the_others_are_known() {
        let replaced = BTreeMap::from([("~a".to_owned(), "alice".to_owned())]);
        let known = Unsealed::Known(Arc::new(Original::new([0; 32], replaced)));

        assert_eq!(
            (known.behind("~a"), known.behind("ses_1")),
            (Some("alice"), Some("ses_1"))
        );
        assert_eq!(Unsealed::AsItIs.behind("~a"), Some("~a"));
        assert_eq!(
            (Unsealed::Closed.behind("~a"), Unsealed::Broken.behind("ses_1")),
            (None, None)
        );
    }
}
