//! The address of the database, whose scheme decides which one it is.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// Where the database is. Never shows a password.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file.
    Sqlite(PathBuf),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

/// Not the address of a database. Does not quote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not of the form sqlite:PATH or postgres://user:password@host:port/database")]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// Whether it is a file that one process owns.
    pub const fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.starts_with(':') || path.contains('?') {
                return Err(InvalidDatabaseUrl);
            }
            return Ok(Self::Sqlite(path.into()));
        }
        let is_postgres = ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme));
        if !is_postgres {
            return Err(InvalidDatabaseUrl);
        }
        let options: PgConnectOptions = text.parse().map_err(|_| InvalidDatabaseUrl)?;
        Ok(Self::Postgres(Box::new(options)))
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(formatter, "sqlite:{}", path.display()),
            Self::Postgres(options) => {
                let database = options.get_database().unwrap_or_default();
                write!(
                    formatter,
                    "postgres://{}:{}/{database}",
                    options.get_host(),
                    options.get_port()
                )
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_decides_which_database_it_is() {
        for sqlite in ["sqlite:auth.db", "sqlite:///var/lib/auth.db"] {
            assert!(sqlite.parse::<DatabaseUrl>().unwrap().is_sqlite(), "{sqlite}");
        }
        let postgres: DatabaseUrl = "postgres://u:hunter2@db:5432/auth".parse().unwrap();

        assert!(!postgres.is_sqlite());
        assert_eq!(postgres.to_string(), "postgres://db:5432/auth");
        assert!(!format!("{postgres:?}").contains("hunter2"));
    }

    #[test]
    fn what_keeps_nothing_or_is_unknown_is_refused() {
        for wrong in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?mode=ro",
            "mysql://h/d",
            "auth.db",
            "postgres://h:port/d",
        ] {
            assert_eq!(
                wrong.parse::<DatabaseUrl>().err(),
                Some(InvalidDatabaseUrl),
                "{wrong}"
            );
        }
    }
}
