//! `MaxMind` DB files as operators supply them.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use audit_collector::enrichment::{Locality, Places};
use maxminddb_writer::Database;
use maxminddb_writer::paths::IpAddrWithMask;
use serde::Serialize;
use serde_json::json;
use shared::event::Event;
use tempfile::TempDir;

/// A country, and degrees north and east.
type City = (&'static str, f64, f64);

/// Networks of documentation, in Korea, Germany and the United States; of the last one only the network is known.
const NETWORKS: [(&str, Option<City>, u32, &str); 4] = [
    (
        "192.0.2.0/24",
        Some(("KR", 37.57, 126.98)),
        64_500,
        "Example Korea",
    ),
    ("10.0.0.0/8", Some(("DE", 52.52, 13.4)), 64_501, "Example Berlin"),
    (
        "198.51.100.0/24",
        Some(("US", 40.71, -74.0)),
        64_502,
        "Example New York",
    ),
    ("203.0.113.0/24", None, 64_503, "Example at sea"),
];

/// A file of cities in `folder`.
pub(crate) fn cities(folder: &Path) -> PathBuf {
    write(folder.join("cities.mmdb"), "Example-City", |country, _| {
        country.map(|(code, north, east)| {
            json!({"country": {"iso_code": code}, "location": {"latitude": north, "longitude": east}})
        })
    })
}

/// A record of a file of networks. JSON's numbers would be written with 64 bits, which `MaxMind`'s are not.
#[derive(Serialize)]
struct Network {
    autonomous_system_number: u32,
    autonomous_system_organization: String,
}

/// A file of autonomous systems in `folder`.
pub(crate) fn networks(folder: &Path) -> PathBuf {
    write(
        folder.join("networks.mmdb"),
        "Example-ASN",
        |_, (number, name)| {
            Some(Network {
                autonomous_system_number: number,
                autonomous_system_organization: name.to_owned(),
            })
        },
    )
}

/// A file in `folder` that says where addresses are in a form of its own.
pub(crate) fn of_another_form(folder: &Path) -> PathBuf {
    write(folder.join("other.mmdb"), "Example-Other", |country, _| {
        country.map(|(code, ..)| json!({ "country": code }))
    })
}

/// Both, read.
pub(crate) fn places() -> Arc<Places> {
    static PLACES: LazyLock<Arc<Places>> = LazyLock::new(|| {
        let folder = TempDir::new().unwrap();
        let (cities, networks) = (cities(folder.path()), networks(folder.path()));
        Arc::new(Places::open(Some(&cities), Some(&networks)).unwrap())
    });
    Arc::clone(&PLACES)
}

/// Where the client of an event is by these files.
pub(crate) fn locality(event: &Event) -> Locality {
    let ip = event
        .facts
        .client
        .as_ref()
        .and_then(|client| client.ip.as_deref());
    let place = ip.and_then(|ip| places().of(ip));
    place.map_or_else(Locality::default, |place| place.locality())
}

fn write<R: Serialize>(
    path: PathBuf,
    kind: &str,
    record: impl Fn(Option<City>, (u32, &str)) -> Option<R>,
) -> PathBuf {
    let mut database = Database::default();
    database.metadata.binary_format_major_version = 2;
    database.metadata.database_type = kind.into();
    database.metadata.description = BTreeMap::from([("en".to_owned(), "of a test".to_owned())])
        .into_iter()
        .collect();
    for (network, country, asn, name) in NETWORKS {
        if let Some(record) = record(country, (asn, name)) {
            let record = database.insert_value(record).unwrap();
            database.insert_node(network.parse::<IpAddrWithMask>().unwrap(), record);
        }
    }
    let mut bytes = Vec::new();
    database.write_to(&mut bytes).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}
