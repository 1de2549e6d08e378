//! Every setting of auth-service, and the secrets that it makes for itself at the first start with SQLite.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use shared::clock::{SharedClock, SystemClock};
use shared::runtime::common::{
    BROKER_URL, DATABASE_URL, ISSUER, ProcessSettings, SERVICE_TOKEN, TOPOLOGY_PREFIX, read_service_token,
};
use shared::runtime::settings::{Reader, Setting, SettingsError};
use shared::token::{Algorithm, GATELOG_AUDIENCE};
use shared::transport::{Transport, read_broker};
use url::Url;

use crate::SERVICE;
pub use crate::password::{HashCost, InvalidHashCost, PasswordSettings};
pub use crate::secret_file::make_secret_file;
pub use crate::signing_key::KeySettings;
pub use shared::database::{DatabaseUrl, InvalidDatabaseUrl};
pub use shared::sealing::{InvalidMasterKey, MasterKey};

/// What the names of its environment variables begin with.
pub const PREFIX: &str = "GATELOG_AUTH_";

const LISTEN: Setting = Setting::new("listen", "127.0.0.1:8081", "the address to listen on");
pub(crate) const MASTER_KEY: Setting = Setting::secret(
    "master_key",
    "64 hexadecimal digits that protect the signing keys in the database; made at the first start with SQLite",
);
const CONFIRMED_DIR: Setting = Setting::without_default(
    "confirmed_dir",
    "a folder on a local disk for the last events that the broker has confirmed, so that what it loses is sent again by the next \
     start as well; beside the database with SQLite, in memory alone with PostgreSQL if not given",
);
const AUDIENCES: Setting = Setting::new(
    "audiences",
    "",
    "the audiences (separated by commas) of your own APIs, for which users may sign in",
);
const ACCESS_TOKEN_SECONDS: Setting = Setting::new(
    "access_token_seconds",
    "600",
    "how long an access token is valid: 60 to 3600",
);

const SIGNING_ALGORITHM: Setting = Setting::new(
    "signing_algorithm",
    "EdDSA",
    "what tokens are signed with: EdDSA, ES256 or RS256; another one takes over within half an hour",
);
const KEY_ROTATION_DAYS: Setting = Setting::new(
    "key_rotation_days",
    "30",
    "how many days a key signs: 1 to 365, or 0 for as long as nobody says `auth-service key rotate`",
);
const KEY_ROTATION_DAYS_MAX: u32 = 365;

/// The longest life of an access token, in seconds; so long is a revocation kept.
pub(crate) const ACCESS_TOKEN_SECONDS_MAX: u32 = 3600;
const ACCESS_TOKEN_SECONDS_MIN: u32 = 60;

/// What auth-service needs to run.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// The `iss` of its tokens, and what its metadata's addresses begin with.
    pub issuer: String,
    /// Where users, sessions and keys are kept.
    pub database_url: DatabaseUrl,
    /// How events leave.
    pub transport: Transport,
    /// Where the last events that the broker has confirmed are kept beyond the end of the process.
    pub confirmed_dir: Option<PathBuf>,
    /// What the signing keys and refresh tokens are protected with.
    pub master_key: MasterKey,
    /// What other services show to read the enforcement log.
    pub service_token: SecretString,
    /// The audiences that users may sign in for, beside `gatelog`.
    pub audiences: Vec<String>,
    /// How long an access token is valid.
    pub access_token_seconds: u32,
    /// What signing keys are to be like.
    pub keys: KeySettings,
    /// How passwords are hashed and what they must not be.
    pub passwords: PasswordSettings,
    /// What every service's process needs.
    pub process: ProcessSettings,
    /// What tells the time.
    pub clock: SharedClock,
}

/// Every setting, for the documentation.
pub fn all() -> Vec<Setting> {
    let mut settings = vec![
        LISTEN,
        ISSUER,
        DATABASE_URL,
        BROKER_URL,
        TOPOLOGY_PREFIX,
        CONFIRMED_DIR,
        MASTER_KEY,
        SERVICE_TOKEN,
        AUDIENCES,
        ACCESS_TOKEN_SECONDS,
        SIGNING_ALGORITHM,
        KEY_ROTATION_DAYS,
    ];
    settings.extend(PasswordSettings::SETTINGS);
    settings.extend(ProcessSettings::SETTINGS);
    settings
}

impl Settings {
    /// Reads the file at `config`, if any, and the environment.
    pub fn load(config: Option<&Path>) -> Result<Self, SettingsError> {
        Self::read(Reader::of_process(PREFIX, config))
    }

    /// The same for who only looks: a file of a secret that does not exist is a mistake, and nothing is made.
    pub(crate) fn look(config: Option<&Path>) -> Result<Self, SettingsError> {
        Self::take(Reader::of_process(PREFIX, config), |_, _, _| ())
    }

    /// Takes the settings from `reader`. With SQLite, files of secrets that do not exist are made.
    pub fn read(reader: Reader) -> Result<Self, SettingsError> {
        Self::take(reader, provide_secret)
    }

    fn take(
        mut reader: Reader,
        provide_secret: impl Fn(&mut Reader, &Setting, Option<&DatabaseUrl>),
    ) -> Result<Self, SettingsError> {
        let listen = reader.value(&LISTEN);
        let issuer = read_issuer(&mut reader);
        let database_url = reader.value::<DatabaseUrl>(&DATABASE_URL);
        let broker = read_broker(&mut reader, SERVICE);
        let confirmed_dir = reader.optional(&CONFIRMED_DIR);
        for setting in [MASTER_KEY, SERVICE_TOKEN] {
            provide_secret(&mut reader, &setting, database_url.as_ref());
        }
        let master_key = reader.value(&MASTER_KEY);
        let service_token = read_service_token(&mut reader);
        let audiences = read_audiences(&mut reader);
        let access_token_seconds = read_lifetime(&mut reader);
        let keys = read_keys(&mut reader);
        let passwords = PasswordSettings::read(&mut reader);
        let process = ProcessSettings::read(&mut reader);
        reader.finish(|| {
            Some(Self {
                listen: listen?,
                issuer: issuer?,
                confirmed_dir: confirmed_dir?.or_else(|| beside(database_url.as_ref()?)),
                database_url: database_url?,
                transport: Transport::Rabbit(broker?),
                master_key: master_key?,
                service_token: service_token?.0,
                audiences: audiences?,
                access_token_seconds: access_token_seconds?,
                keys: keys?,
                passwords: passwords?,
                process: process?,
                clock: Arc::new(SystemClock),
            })
        })
    }
}

/// The folder of the database's file.
fn beside(database_url: &DatabaseUrl) -> Option<PathBuf> {
    match database_url {
        DatabaseUrl::Sqlite(path) => Some(Path::new(".").join(path.parent()?)),
        DatabaseUrl::Postgres(_) => None,
    }
}

/// RFC 8414 §2: a URL without query and fragment. Addresses are appended to it, so it does not end in `/`.
fn read_issuer(reader: &mut Reader) -> Option<String> {
    let issuer: String = reader.value(&ISSUER)?;
    let is_plain = Url::parse(&issuer).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.username().is_empty()
            && url.password().is_none()
    });
    if !is_plain || issuer.ends_with('/') {
        reader.problem("the issuer is not an http or https URL without query, fragment and `/` at its end");
        return None;
    }
    Some(issuer)
}

fn read_audiences(reader: &mut Reader) -> Option<Vec<String>> {
    let audiences: Vec<String> = reader.list(&AUDIENCES)?;
    if audiences.iter().any(|audience| audience == GATELOG_AUDIENCE) {
        reader.problem(format!(
            "the audience {GATELOG_AUDIENCE} is Gatelog's own and cannot be that of an API"
        ));
        return None;
    }
    Some(audiences)
}

fn read_lifetime(reader: &mut Reader) -> Option<u32> {
    let seconds: u32 = reader.value(&ACCESS_TOKEN_SECONDS)?;
    if !(ACCESS_TOKEN_SECONDS_MIN..=ACCESS_TOKEN_SECONDS_MAX).contains(&seconds) {
        reader.problem(format!(
            "access_token_seconds is not between {ACCESS_TOKEN_SECONDS_MIN} and {ACCESS_TOKEN_SECONDS_MAX}"
        ));
        return None;
    }
    Some(seconds)
}

fn read_keys(reader: &mut Reader) -> Option<KeySettings> {
    let (algorithm, days) = (
        reader.value::<Algorithm>(&SIGNING_ALGORITHM),
        reader.value::<u32>(&KEY_ROTATION_DAYS),
    );
    let (algorithm, days) = (algorithm?, days?);
    if algorithm == Algorithm::Hs256 {
        reader.problem("signing_algorithm is EdDSA, ES256 or RS256: who verifies HS256 could mint");
        return None;
    }
    if days > KEY_ROTATION_DAYS_MAX {
        reader.problem(format!(
            "key_rotation_days is not between 0 and {KEY_ROTATION_DAYS_MAX}"
        ));
        return None;
    }
    let rotation = (days > 0).then(|| Duration::from_hours(24 * u64::from(days)));
    Some(KeySettings { algorithm, rotation })
}

/// Sees to it that the file of a secret is there: with SQLite it is made, otherwise it is said how to make it.
///
/// With PostgreSQL nothing is made, because replicas would each make their own.
fn provide_secret(reader: &mut Reader, setting: &Setting, database_url: Option<&DatabaseUrl>) {
    let (Some(path), Some(database_url)) = (reader.file_of(setting), database_url) else {
        return;
    };
    if path.exists() {
        return;
    }
    let shown = path.display();
    if database_url.is_sqlite() {
        if let Err(error) = make_secret_file(&path) {
            reader.problem(format!("cannot make {shown}: {error}"));
        }
    } else {
        reader.problem(format!(
            "make {shown} once, the same for all replicas:  (umask 077 && openssl rand -hex 32 > {shown})"
        ));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn read(toml_text: &str) -> Result<Settings, SettingsError> {
        Settings::read(Reader::new(PREFIX, toml_text, std::iter::empty()))
    }

    fn toml_text(database_url: &str, dir: &Path) -> String {
        let dir = dir.display();
        format!(
            "database_url = '{database_url}'\nbroker_url = 'amqp://auth-service:x@127.0.0.1:1/%2f'\n\
             master_key_file = '{dir}/master'\nservice_token_file = '{dir}/service'"
        )
    }

    #[test]
    fn with_sqlite_missing_secrets_are_made_once_and_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let text = toml_text("sqlite:auth.db", dir.path());

        read(&text).unwrap();
        let made = std::fs::read(dir.path().join("master")).unwrap();
        read(&text).unwrap();

        assert_eq!(std::fs::read(dir.path().join("master")).unwrap(), made);
        for file in ["master", "service"] {
            let mode = std::fs::metadata(dir.path().join(file))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2);
    }

    #[test]
    fn with_postgresql_a_missing_secret_is_a_mistake_that_says_how_to_make_it() {
        let dir = tempfile::tempdir().unwrap();

        let said = read(&toml_text("postgres://u:hunter2@127.0.0.1/db", dir.path()))
            .unwrap_err()
            .to_string();

        assert!(said.contains("openssl rand -hex 32"), "{said}");
        assert!(!said.contains("hunter2"), "{said}");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    }

    #[test]
    fn an_issuer_that_metadata_could_not_carry_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        for issuer in [
            "ftp://x",
            "https://x/",
            "https://x?a=b",
            "https://x#f",
            "https://u:p@x",
            "x",
        ] {
            let text = format!("{}\nissuer = '{issuer}'", toml_text("sqlite:auth.db", dir.path()));
            let said = read(&text).unwrap_err().to_string();
            assert!(said.contains("issuer"), "{issuer}: {said}");
        }
    }

    #[test]
    fn gatelog_s_own_audience_and_lifetimes_out_of_bounds_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in [
            "audiences = 'orders,gatelog'",
            "access_token_seconds = 59",
            "access_token_seconds = 3601",
            "signing_algorithm = 'HS256'",
            "signing_algorithm = 'none'",
            "key_rotation_days = 366",
        ] {
            let text = format!("{}\n{wrong}", toml_text("sqlite:auth.db", dir.path()));
            assert!(read(&text).is_err(), "{wrong}");
        }
    }
}
