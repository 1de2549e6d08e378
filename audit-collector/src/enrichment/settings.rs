//! The files that say where addresses are.

use std::path::PathBuf;
use std::sync::Arc;

use shared::runtime::settings::{Reader, Setting};

use super::Places;

const PLACES_FILE: Setting = Setting::without_default(
    "places_file",
    "a MaxMind DB file (MMDB) of countries or cities; without it, events have no country, and rules about places find nothing",
);
const NETWORKS_FILE: Setting = Setting::without_default(
    "networks_file",
    "a MaxMind DB file (MMDB) of autonomous systems, unless `places_file` knows them",
);

/// Every setting, for the documentation.
pub const SETTINGS: [Setting; 2] = [PLACES_FILE, NETWORKS_FILE];

/// The map of the files that the settings name, if they name one.
pub fn read_places(reader: &mut Reader) -> Option<Option<Arc<Places>>> {
    let files: (Option<Option<PathBuf>>, Option<Option<PathBuf>>) =
        (reader.optional(&PLACES_FILE), reader.optional(&NETWORKS_FILE));
    let (countries, networks) = (files.0?, files.1?);
    if countries.is_none() && networks.is_none() {
        return Some(None);
    }
    match Places::open(countries.as_deref(), networks.as_deref()) {
        Ok(places) => Some(Some(Arc::new(places))),
        Err(problems) => {
            for problem in problems {
                reader.problem(problem.to_string());
            }
            None
        }
    }
}
