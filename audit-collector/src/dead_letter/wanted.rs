//! Which dead letters are asked for. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use shared::clock::UtcMicros;
use uuid::Uuid;

use crate::search::{InvalidParameter, Parameters, Period};

const LIMIT_DEFAULT: u16 = 50;
const LIMIT_MAX: u16 = 500;

/// The longest reason for a removal that is taken, in bytes.
const BECAUSE_BYTES_MAX: usize = 256;

/// What dead letters have in common.
#[derive(Clone, Debug, Default)]
pub(super) struct Which {
    /// When they were first received.
    pub(super) period: Period,
    pub(super) reason: Option<String>,
    pub(super) publisher: Option<String>,
}

/// A page of them, the latest first.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) which: Which,
    pub(super) limit: u16,
    pub(super) after: Option<Place>,
}

/// All of them, to be acted on at once.
#[derive(Clone, Debug)]
pub(super) struct Bulk {
    pub(super) which: Which,
    /// Says what would come of it and changes nothing.
    pub(super) is_dry_run: bool,
}

/// The last letter of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) received_at: UtcMicros,
    pub(super) id: Uuid,
}

impl Which {
    /// What is in `parameters` of it, which hold nothing else.
    fn of(mut parameters: Parameters) -> Result<Self, InvalidParameter> {
        let (reason, publisher) = (parameters.take("reason"), parameters.take("publisher"));
        Ok(Self {
            reason,
            publisher,
            period: Period::of(parameters)?,
        })
    }

    /// Whether it leaves any out: what is done to all of them at once is more often a slip than meant.
    pub(super) fn check_narrow(&self) -> Result<(), InvalidParameter> {
        let Self {
            period,
            reason,
            publisher,
        } = self;
        let is_wide = period.from.is_none() && period.to.is_none() && reason.is_none() && publisher.is_none();
        if is_wide {
            let problem = "at least one of `reason`, `publisher`, `from` and `to` says which";
            return Err(InvalidParameter::new("reason", problem));
        }
        Ok(())
    }

    /// What it says, by the names of the parameters, for the record.
    pub(super) fn given(&self) -> Vec<(&'static str, String)> {
        let moment = |moment: Option<UtcMicros>| moment.map(|moment| moment.to_string());
        [
            ("reason", self.reason.clone()),
            ("publisher", self.publisher.clone()),
            ("from", moment(self.period.from)),
            ("to", moment(self.period.to)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }
}

impl Wanted {
    /// Reads the query string of `GET /v1/dead-letters`.
    pub(super) fn parse(query: &str) -> Result<Self, InvalidParameter> {
        let mut parameters = Parameters::parse(query)?;
        let limit = parameters
            .number("limit", 1..=LIMIT_MAX)?
            .unwrap_or(LIMIT_DEFAULT);
        let after = parameters.take("cursor").map(|text| {
            Place::open(&text).ok_or_else(|| InvalidParameter::new("cursor", "the cursor is damaged"))
        });
        Ok(Self {
            after: after.transpose()?,
            limit,
            which: Which::of(parameters)?,
        })
    }

    /// The first page of them.
    pub(super) const fn first_of(which: Which) -> Self {
        Self {
            which,
            limit: LIMIT_DEFAULT,
            after: None,
        }
    }
}

impl Bulk {
    /// Reads the query string of a change to many, without `because`.
    pub(super) fn of(mut parameters: Parameters) -> Result<Self, InvalidParameter> {
        let is_dry_run = match parameters.take("dry_run").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(InvalidParameter::new("dry_run", "neither `true` nor `false`")),
        };
        let which = Which::of(parameters)?;
        which.check_narrow()?;
        Ok(Self { which, is_dry_run })
    }
}

/// Takes out why something is removed.
pub(super) fn take_because(parameters: &mut Parameters) -> Result<String, InvalidParameter> {
    let because = parameters.take("because").unwrap_or_default();
    check_because(&because)?;
    Ok(because)
}

/// Whether it says anything, and not too much.
pub(super) fn check_because(because: &str) -> Result<(), InvalidParameter> {
    if (1..=BECAUSE_BYTES_MAX).contains(&because.len()) {
        return Ok(());
    }
    let problem = format!("a text of at most {BECAUSE_BYTES_MAX} bytes");
    Err(InvalidParameter::new("because", problem))
}

impl Place {
    pub(super) fn seal(self) -> String {
        let mut bytes = self.received_at.as_micros().to_be_bytes().to_vec();
        bytes.extend_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    fn open(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (micros, id) = bytes.split_first_chunk()?;
        Some(Self {
            received_at: UtcMicros::from_micros(i64::from_be_bytes(*micros)),
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_is_read_back_and_no_text_is_too_strange(micros: i64, id: u128, text in ".*") {
            let place = Place { received_at: UtcMicros::from_micros(micros), id: Uuid::from_u128(id) };

            prop_assert_eq!(Place::open(&place.seal()), Some(place));
            prop_assert!(Place::open(&text).is_none_or(|place| place.seal().len() == 32));
        }
    }

    #[test]
    fn a_wrong_parameter_is_named() {
        for (query, name) in [
            ("cursor=x", "cursor"),
            ("limit=0", "limit"),
            ("why=x", "why"),
            ("from=now", "from"),
        ] {
            assert_eq!(Wanted::parse(query).unwrap_err().name, name);
        }
    }

    #[test]
    fn a_change_to_many_says_which() {
        let wrong = |query: &str| {
            let parameters = Parameters::parse(query).unwrap();
            Bulk::of(parameters).err().map(|error| error.name)
        };

        assert_eq!(wrong("").as_deref(), Some("reason"));
        assert_eq!(wrong("dry_run=true").as_deref(), Some("reason"));
        assert_eq!(wrong("reason=malformed&dry_run=yes").as_deref(), Some("dry_run"));
        assert_eq!(wrong("publisher=api-service&limit=5").as_deref(), Some("limit"));
        for query in [
            "reason=malformed",
            "publisher=api-service",
            "from=2026-01-15T00:00:00Z",
        ] {
            assert_eq!(wrong(query), None, "{query}");
        }
    }
}
