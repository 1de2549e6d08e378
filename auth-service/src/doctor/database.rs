//! The database: whether it is there, as this version wants it, and holds what signing and administering need.

use std::time::Duration;

use shared::clock::UtcMicros;
use shared::database::{Database, DatabaseError, DatabaseUrl, Tables};

use super::finding::Finding;
use super::secrets;
use crate::schema::SCHEMA;
use crate::settings::Settings;
use crate::{outbox, signing_key, user};

/// Clocks that differ more make tokens of the future, which verifiers refuse.
const CLOCK_DIFFERENCE_MAX: Duration = Duration::from_secs(5);

/// Events that wait longer are not on their way.
const OUTBOX_AGE_MAX: Duration = Duration::from_mins(1);

const START: &str = "start auth-service of this version once; it brings the tables up to date";

/// What was found, and the key set that verifiers should get, as far as it could be read.
pub(super) async fn examine(settings: &Settings) -> (Vec<Finding>, Option<Vec<u8>>) {
    let mut findings = Vec::new();
    if let DatabaseUrl::Sqlite(path) = &settings.database_url {
        findings.push(secrets::mode("file of the database", path));
    }
    let looking = async {
        let database = Database::look(&settings.database_url, &SCHEMA).await?;
        let tables = database.tables(&SCHEMA).await?;
        Ok::<_, DatabaseError>((database, tables))
    };
    let (database, tables) = match Box::pin(looking).await {
        Ok(found) => found,
        Err(error) => {
            let mend = "see that the server runs and lets this user in, or that the file is there";
            findings.push(Finding::wrong("database", error.to_string(), mend));
            return (findings, None);
        }
    };
    findings.push(Finding::good(
        "database",
        format!("{} answers", settings.database_url),
    ));
    findings.push(of_tables(tables));
    findings.push(of_writing(database.lets_write().await));
    findings.push(of_clock(database.clock().await, settings.clock.now()));
    let mut keys = None;
    if tables == Tables::Current {
        findings.push(failing("administrator", administrator(&database).await));
        findings.push(failing("outbox", outbox(&database, settings.clock.now()).await));
        keys = signing_keys(&database, settings, &mut findings).await;
    }
    database.close().await;
    (findings, keys)
}

fn of_tables(tables: Tables) -> Finding {
    const CHECK: &str = "tables";
    match tables {
        Tables::Current => Finding::good(CHECK, "are those of this version"),
        Tables::Behind(count) => Finding::wrong(CHECK, format!("{count} migrations are to come"), START),
        Tables::Ahead(count) => Finding::wrong(
            CHECK,
            format!("a newer version has applied {count} migrations that this one does not know"),
            "run the version that the database was brought up to",
        ),
        Tables::Damaged(version) => Finding::wrong(
            CHECK,
            format!("migration {version} stopped halfway, or is not that of this version"),
            "restore the database from a backup",
        ),
    }
}

fn of_writing(lets_write: Result<bool, DatabaseError>) -> Finding {
    const CHECK: &str = "writing";
    const MEND: &str = "see that it is the primary and no standby, that this user owns the tables, and that the disk is not read-only";
    match lets_write {
        Ok(true) => Finding::good(CHECK, "is possible"),
        Ok(false) => Finding::wrong(CHECK, "the database takes no changes of this user", MEND),
        Err(error) if error.is_transient() => Finding::warning(
            CHECK,
            format!("cannot be told at the moment: {error}"),
            "look again",
        ),
        Err(error) => Finding::wrong(CHECK, error.to_string(), MEND),
    }
}

fn of_clock(clock: Result<Option<UtcMicros>, DatabaseError>, now: UtcMicros) -> Finding {
    const CHECK: &str = "clock";
    match clock {
        Ok(None) => Finding::good(CHECK, "the database has none of its own"),
        Ok(Some(clock)) => {
            let difference = clock.since(now).max(now.since(clock));
            let found = format!("differs from the database's by {} ms", difference.as_millis());
            if difference <= CLOCK_DIFFERENCE_MAX {
                Finding::good(CHECK, found)
            } else {
                Finding::warning(CHECK, found, "have both hosts follow a time server (NTP)")
            }
        }
        Err(error) => Finding::wrong(CHECK, error.to_string(), "look again"),
    }
}

async fn administrator(database: &Database) -> Result<Finding, DatabaseError> {
    const CHECK: &str = "administrator";
    let mut tx = database.read().await?;
    Ok(if user::has_administrator(&mut tx).await? {
        Finding::good(CHECK, "there is one")
    } else {
        Finding::wrong(CHECK, "nobody can administer", "run: auth-service setup-token")
    })
}

async fn outbox(database: &Database, now: UtcMicros) -> Result<Finding, DatabaseError> {
    const CHECK: &str = "outbox";
    let mut tx = database.read().await?;
    let waiting = outbox::waiting(&mut tx).await?;
    let age = waiting.oldest.map(|oldest| now.since(oldest)).unwrap_or_default();
    let found = format!(
        "{} events wait, the oldest for {} s",
        waiting.count,
        age.as_secs()
    );
    Ok(if age <= OUTBOX_AGE_MAX {
        Finding::good(CHECK, found)
    } else {
        Finding::warning(
            CHECK,
            found,
            "see that auth-service, the broker and a collector run",
        )
    })
}

async fn signing_keys(
    database: &Database,
    settings: &Settings,
    findings: &mut Vec<Finding>,
) -> Option<Vec<u8>> {
    const CHECK: &str = "signing keys";
    let now = settings.clock.now();
    let ring = match signing_key::look(database, &settings.master_key, now).await {
        Ok(Ok(ring)) => ring,
        Ok(Err(error)) => {
            let mend = "give back the master key that was in use; without it only new keys can sign: every token becomes void";
            findings.push(Finding::wrong(CHECK, error, mend));
            return None;
        }
        Err(error) => {
            findings.push(Finding::wrong(CHECK, error.to_string(), "look again"));
            return None;
        }
    };
    findings.push(match ring.signer(now) {
        Ok(key) => Finding::good(CHECK, format!("{} signs", key.kid)),
        Err(error) => Finding::wrong(
            CHECK,
            error.to_string(),
            "start auth-service, which makes one; or run: auth-service key rotate",
        ),
    });
    findings.push(if ring.has_next(now) {
        Finding::good("next signing key", "verifiers know it already")
    } else {
        Finding::warning(
            "next signing key",
            "there is none",
            "auth-service makes one within a minute when it runs",
        )
    });
    Some(ring.published(now).jwks)
}

fn failing(check: &str, finding: Result<Finding, DatabaseError>) -> Finding {
    finding.unwrap_or_else(|error| Finding::wrong(check, error.to_string(), "look again"))
}
