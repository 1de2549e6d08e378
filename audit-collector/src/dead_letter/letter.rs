//! A dead letter as it came. Pure.

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use shared::event::{Source, wire};
use uuid::Uuid;

/// A delivery that is no event, or none that may be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// A stable code for why.
    pub reason: &'static str,
    /// Whom the broker vouches for as its sender.
    pub publisher: Option<String>,
    /// The bytes it came in.
    pub body: Bytes,
}

/// A place in the numbering of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Numbered {
    /// The source.
    pub source: Source,
    /// The number there.
    pub seq: u64,
}

impl DeadLetter {
    /// The same for the same bytes of the same sender, so that what comes again after a crash is one row: a UUID of
    /// version 8 (RFC 9562 §5.8) of a hash over both.
    pub(super) fn id(&self) -> Uuid {
        let mut context = Context::new(&SHA256);
        // A name holds no NUL, so that no other pair of name and bytes reads the same.
        context.update(self.publisher.as_deref().unwrap_or_default().as_bytes());
        context.update(&[0]);
        context.update(&self.body);
        let mut bytes = [0; 16];
        for (byte, hashed) in bytes.iter_mut().zip(context.finish().as_ref()) {
            *byte = *hashed;
        }
        uuid::Builder::from_custom_bytes(bytes).into_uuid()
    }

    /// The number that it fills, if that can be read and its sender is the source: nobody fills the gaps of another one.
    pub(super) fn numbered(&self) -> Option<Numbered> {
        let (source, seq) = wire::numbering(&self.body)?;
        (self.publisher.as_ref() == Some(&source.service)).then_some(Numbered { source, seq })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str = r#"{"source":"/api-service/one/00000000-0000-0000-0000-000000000007","sequence":"5"}"#;

    fn letter(publisher: Option<&str>, body: &'static str) -> DeadLetter {
        DeadLetter {
            reason: "malformed",
            publisher: publisher.map(str::to_owned),
            body: Bytes::from_static(body.as_bytes()),
        }
    }

    #[test]
    fn a_letter_is_known_by_its_sender_and_its_bytes() {
        let first = letter(Some("api-service"), BODY);
        let again = DeadLetter {
            reason: "repeated",
            ..first.clone()
        };

        assert_eq!(first.id(), again.id());
        assert_eq!(first.id().get_version_num(), 8);
        for other in [
            letter(None, BODY),
            letter(Some("api-service"), "x"),
            letter(Some("api-servic"), "eBODY"),
        ] {
            assert_ne!(first.id(), other.id());
        }
    }

    #[test]
    fn only_the_source_itself_fills_its_number() {
        let numbered = letter(Some("api-service"), BODY).numbered().unwrap();

        assert_eq!((numbered.seq, numbered.source.boot), (5, Uuid::from_u128(7)));
        for publisher in [None, Some("auth-service"), Some("")] {
            assert_eq!(letter(publisher, BODY).numbered(), None, "{publisher:?}");
        }
    }
}
