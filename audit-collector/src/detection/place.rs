//! Where addresses are, by a `MaxMind` DB file that the operator supplies.

use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, geoip2};

/// Where an address is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// The ISO 3166-1 code of its country, as two ASCII letters.
    pub country: Option<[u8; 2]>,
    /// Degrees north and east.
    pub coordinates: Option<(f64, f64)>,
    /// The number of its autonomous system.
    pub asn: Option<u32>,
}

impl Place {
    /// The code of its country.
    pub fn country(&self) -> Option<&str> {
        std::str::from_utf8(self.country.as_ref()?).ok()
    }
}

/// A map of addresses to places.
#[derive(Debug)]
pub struct Places(Reader<Vec<u8>>);

/// The file cannot be used as a map of addresses.
#[derive(Debug, thiserror::Error)]
#[error("{path} is no MaxMind DB with cities or countries: {cause}")]
pub struct InvalidPlaces {
    path: String,
    #[source]
    cause: MaxMindDbError,
}

impl Places {
    /// Reads the file into memory, so that it may be replaced while it is in use.
    pub fn open(path: &Path) -> Result<Self, InvalidPlaces> {
        Reader::open_readfile(path)
            .map(Self)
            .map_err(|cause| InvalidPlaces {
                path: path.display().to_string(),
                cause,
            })
    }

    /// Where `ip` is, as far as the file knows.
    pub fn of(&self, ip: &str) -> Option<Place> {
        let address: IpAddr = ip.parse().ok()?;
        let found = self.0.lookup(address.to_canonical()).ok()?;
        let city: Option<geoip2::City<'_>> = found.decode().ok()?;
        let asn: Option<geoip2::Asn<'_>> = found.decode().ok().flatten();
        let city = city.unwrap_or_default();
        Some(Place {
            country: city
                .country
                .iso_code
                .and_then(|code| code.as_bytes().try_into().ok()),
            coordinates: city.location.latitude.zip(city.location.longitude),
            asn: asn.and_then(|asn| asn.autonomous_system_number),
        })
    }
}
