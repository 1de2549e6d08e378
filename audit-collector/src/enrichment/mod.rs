//! What is known of an event beside what it says. It stands beside events, never in them: what is hashed is what was sent.

mod locality;
mod place;
mod program;
mod settings;

pub use locality::{Country, Locality};
pub use place::{InvalidPlaces, Place, Places};
pub(crate) use program::program;
pub use settings::{SETTINGS, read_places};
