//! Where addresses are, by `MaxMind` DB files that the operator supplies.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;

use maxminddb::{MaxMindDbError, Reader, WithinOptions, geoip2};

use super::locality::{Country, Locality};

/// Where an address is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Place {
    /// Its country.
    pub country: Option<Country>,
    /// Degrees north and east.
    pub coordinates: Option<(f64, f64)>,
    /// The number of its autonomous system.
    pub asn: Option<u32>,
}

impl Place {
    /// What of it is kept beside events.
    pub const fn locality(&self) -> Locality {
        Locality {
            country: self.country,
            asn: self.asn,
        }
    }
}

/// A map of addresses to places.
#[derive(Debug, Default)]
pub struct Places {
    /// Countries, with coordinates or without; perhaps networks as well.
    countries: Option<Reader<Vec<u8>>>,
    networks: Option<Reader<Vec<u8>>>,
    /// Who runs the autonomous systems that either of them knows.
    organisations: HashMap<u32, Box<str>>,
}

/// A file cannot be used as a map of addresses.
#[derive(Debug, thiserror::Error)]
#[error("{path} {cause}")]
pub struct InvalidPlaces {
    path: String,
    #[source]
    cause: Cause,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error("cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("is no MaxMind DB, or is damaged: {0}")]
    Damaged(MaxMindDbError),
    #[error("holds records of another form than MaxMind's: {0}")]
    Form(MaxMindDbError),
    #[error("tells no {wanted}: it is a MaxMind DB of the type {found:?}")]
    Other { wanted: &'static str, found: String },
}

impl From<MaxMindDbError> for Cause {
    fn from(error: MaxMindDbError) -> Self {
        match error {
            MaxMindDbError::Io(error) => Self::Unreadable(error),
            error => Self::Damaged(error),
        }
    }
}

/// What a file knows.
#[derive(Default)]
struct Contents {
    has_countries: bool,
    organisations: HashMap<u32, Box<str>>,
}

impl Places {
    /// Reads the files into memory, so that they may be replaced while they are in use, and all that they say, so that what is
    /// damaged is known at once; or says what is wrong with each.
    pub fn open(countries: Option<&Path>, networks: Option<&Path>) -> Result<Self, Vec<InvalidPlaces>> {
        let countries = countries.map(|path| read(path, "countries", |contents| contents.has_countries));
        let networks = networks.map(|path| {
            read(path, "autonomous systems", |contents| {
                !contents.organisations.is_empty()
            })
        });
        match (countries.transpose(), networks.transpose()) {
            (Ok(countries), Ok(networks)) => {
                let (countries, known) = countries.unzip();
                let (networks, more) = networks.unzip();
                let known = [known, more].into_iter().flatten();
                Ok(Self {
                    countries,
                    networks,
                    organisations: known.flat_map(|contents| contents.organisations).collect(),
                })
            }
            (countries, networks) => Err(countries.err().into_iter().chain(networks.err()).collect()),
        }
    }

    /// Where `ip` is, as far as the files know.
    pub fn of(&self, ip: &str) -> Option<Place> {
        let address = ip.parse::<IpAddr>().ok()?.to_canonical();
        let by_country = self.countries.as_ref().and_then(|file| place(file, address));
        let by_network = self.networks.as_ref().and_then(|file| place(file, address));
        let asn = [by_network, by_country]
            .into_iter()
            .flatten()
            .find_map(|place| place.asn);
        (by_country.is_some() || asn.is_some()).then(|| Place {
            asn,
            ..by_country.unwrap_or_default()
        })
    }

    /// Who runs the autonomous system of that number.
    pub fn organisation(&self, asn: u32) -> Option<&str> {
        self.organisations.get(&asn).map(AsRef::as_ref)
    }
}

fn read(
    path: &Path,
    wanted: &'static str,
    has_them: impl FnOnce(&Contents) -> bool,
) -> Result<(Reader<Vec<u8>>, Contents), InvalidPlaces> {
    let reading = || {
        let reader = Reader::open_readfile(path)?;
        reader.verify()?;
        let contents = contents(&reader).map_err(Cause::Form)?;
        if has_them(&contents) {
            Ok((reader, contents))
        } else {
            let found = reader.metadata().database_type.clone();
            Err(Cause::Other { wanted, found })
        }
    };
    reading().map_err(|cause| InvalidPlaces {
        path: path.display().to_string(),
        cause,
    })
}

/// Reads every record once, however many networks share it.
fn contents(reader: &Reader<Vec<u8>>) -> Result<Contents, MaxMindDbError> {
    let (mut contents, mut known) = (Contents::default(), HashSet::new());
    for network in reader.networks(WithinOptions::default())? {
        let network = network?;
        if !network.offset().is_some_and(|offset| known.insert(offset)) {
            continue;
        }
        let city: Option<geoip2::City<'_>> = network.decode()?;
        contents.has_countries |= city.is_some_and(|city| city.country.iso_code.is_some());
        let asn: Option<geoip2::Asn<'_>> = network.decode()?;
        if let Some((number, name)) = asn.as_ref().and_then(named) {
            contents
                .organisations
                .entry(number)
                .or_insert_with(|| name.into());
        }
    }
    Ok(contents)
}

fn named<'a>(asn: &geoip2::Asn<'a>) -> Option<(u32, &'a str)> {
    let name = asn.autonomous_system_organization.unwrap_or_default();
    Some((asn.autonomous_system_number?, name))
}

fn place(reader: &Reader<Vec<u8>>, address: IpAddr) -> Option<Place> {
    let found = reader.lookup(address).ok()?;
    let city: Option<geoip2::City<'_>> = found.decode().ok()?;
    let asn: Option<geoip2::Asn<'_>> = found.decode().ok().flatten();
    let city = city?;
    Some(Place {
        country: city.country.iso_code.and_then(Country::of),
        coordinates: city.location.latitude.zip(city.location.longitude),
        asn: asn.and_then(|asn| asn.autonomous_system_number),
    })
}
