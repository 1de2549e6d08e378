//! What can go wrong with a database, and whose fault it is.

/// PostgreSQL's codes have this length (SQL standard); SQLite's are numbers of four digits at most.
const SQLSTATE_LENGTH: usize = 5;

/// Something went wrong with the database. Holds no value of a row.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It, or the way to it, failed.
    #[error("the database failed: {0}")]
    Failed(#[from] sqlx::Error),
    /// It was silent for too long.
    #[error("the database did not answer in time")]
    TimedOut,
    /// Another process changed the same rows at the same moment.
    #[error("another process changed the same rows at the same moment")]
    Raced,
}

impl DatabaseError {
    /// An error about the values that were to be stored, found before the database was asked.
    pub fn of_the_values(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Failed(sqlx::Error::Encode(Box::new(error)))
    }

    /// Whether it may pass by itself: the server is gone, too busy, or was asked at the wrong moment.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TimedOut | Self::Raced => true,
            Self::Failed(error) => may_pass(error),
        }
    }

    /// Whether it is about the values that were to be stored, so that trying again cannot help.
    pub fn is_about_the_values(&self) -> bool {
        match self {
            // 22 data exception, 23 integrity constraint, 54 program limit; SQLite: too big, constraint, mismatch.
            Self::Failed(sqlx::Error::Database(error)) => error.code().is_some_and(|code| {
                if code.len() == SQLSTATE_LENGTH {
                    ["22", "23", "54"].iter().any(|class| code.starts_with(class))
                } else {
                    primary_code(&code).is_some_and(|code| (18..=20).contains(&code))
                }
            }),
            Self::Failed(sqlx::Error::Encode(_)) => true,
            Self::Failed(_) | Self::TimedOut | Self::Raced => false,
        }
    }

    /// Whether a statement took longer than it may, and the database is well.
    pub fn is_too_costly(&self) -> bool {
        // 57014 is `query_canceled`, which `statement_timeout` raises; 9 is SQLITE_INTERRUPT.
        matches!(self, Self::Failed(sqlx::Error::Database(error))
            if error.code().is_some_and(|code| code == "57014" || code == "9"))
    }

    /// Whether a lock was waited for in vain, for as long as `lock_timeout` allows.
    pub fn is_in_use(&self) -> bool {
        // `lock_not_available`. SQLite has one writer, which waits for its turn.
        matches!(self, Self::Failed(sqlx::Error::Database(error)) if error.code().is_some_and(|code| code == "55P03"))
    }

    /// Whether nothing at all was heard, which is how a peer that vanished looks.
    pub(super) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Failed(sqlx::Error::PoolTimedOut))
    }
}

/// Whether an error may pass by itself.
pub(super) fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        // 08 connection, 40 serialisation and deadlock, 53 resources, 55 locks, 57 stopping or starting; 5 SQLITE_BUSY.
        sqlx::Error::Database(error) => error.code().is_some_and(|code| {
            if code.len() == SQLSTATE_LENGTH {
                ["08", "40", "53", "55", "57"]
                    .iter()
                    .any(|class| code.starts_with(class))
            } else {
                primary_code(&code) == Some(5)
            }
        }),
        _ => false,
    }
}

/// The low byte of SQLite's extended codes is the primary one.
fn primary_code(code: &str) -> Option<u32> {
    Some(code.parse::<u32>().ok()? & 0xff)
}
