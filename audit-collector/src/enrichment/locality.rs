//! What is kept of where a client is: enough to search and count by, and no position. Pure.

use std::fmt;

use serde::{Serialize, Serializer};

/// The ISO 3166-1 code of a country: two capital letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Country([u8; 2]);

impl Country {
    /// The country of a code, whatever the case of its letters.
    pub fn of(code: &str) -> Option<Self> {
        let letters: [u8; 2] = code.as_bytes().try_into().ok()?;
        letters
            .iter()
            .all(u8::is_ascii_alphabetic)
            .then(|| Self(letters.map(|letter| letter.to_ascii_uppercase())))
    }

    /// Its code.
    pub fn as_str(&self) -> &str {
        // Two letters of ASCII are always a text.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl Serialize for Country {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Where the client of an event was when the event was stored, as far as the files of that time knew.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Locality {
    /// The country of its address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
    /// The number of its address's autonomous system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asn: Option<u32>,
}

impl Locality {
    /// What is stored as these values; what was no country or number is none.
    pub(crate) fn stored(country: Option<&str>, asn: Option<i64>) -> Self {
        Self {
            country: country.and_then(Country::of),
            asn: asn.and_then(|asn| asn.try_into().ok()),
        }
    }
}
